//! Tests that cached decisions are those that the module would make: random modules, random requests, small tables.
//!
//! A module is a random tree here: as with a real one, its next read depends on the values that it saw. These come from
//! `Read::seen`, which the cache keys do not use, so the tests compare two independent paths.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::check::check;
use crate::checked::CheckedDecision;
use crate::config::{Grants, Quota};
use crate::contract;
use crate::decision_cache::{CacheFacts, DecisionCache, Lookup, Root, Uncacheable};
use crate::inputs::Inputs;
use crate::reads::{Read, Reads};
use crate::request::{Arrival, DownstreamTls, RequestHead};
use crate::settings::ModuleSettings;
use crate::strategies::with_policy;

/// The behaviour of a module.
#[derive(Debug, Clone)]
enum Tree {
    Read(Read, Vec<Tree>),
    Answer(u8),
}

fn read() -> impl Strategy<Value = Read> {
    let name = prop_oneof![Just("x-a"), Just("x-b"), Just("cookie")].prop_map(HeaderName::from_static);
    prop_oneof![
        Just(Read::Method),
        Just(Read::Authority),
        Just(Read::Path),
        Just(Read::Query),
        name.clone().prop_map(Read::Header),
        name.clone().prop_map(Read::HeaderText),
        name.prop_map(Read::HeaderValues),
        Just(Read::Headers),
        Just(Read::ClientIp),
        Just(Read::Listener),
        Just(Read::Scheme),
        Just(Read::Tls),
        Just(Read::Attempts),
        Just(Read::ConfigJson),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    any::<u8>().prop_map(Tree::Answer).prop_recursive(4, 40, 4, |inner| {
        (read(), vec(inner, 1..4)).prop_map(|(read, branches)| Tree::Read(read, branches))
    })
}

fn inputs() -> impl Strategy<Value = Inputs> {
    let value = prop_oneof![
        Just(&b""[..]),
        Just(&b"a"[..]),
        Just(&b"b"[..]),
        Just(&b"a, b"[..]),
        Just(&b"\xff"[..]),
        Just(&b"\xfe"[..]),
    ];
    let headers = vec((prop_oneof![Just("x-a"), Just("x-b"), Just("cookie")], value), 0..4);
    let target = prop_oneof![Just("/"), Just("/?"), Just("/?a"), Just("/a"), Just("/a?a"), Just("/a/?a")];
    let ip = prop_oneof![Just(None), Just(Some("192.0.2.1")), Just(Some("192.0.2.2")), Just(Some("2001:db8::1"))];
    let tls = prop_oneof![Just(None), Just(Some(None)), Just(Some(Some("a"))), Just(Some(Some("b")))];
    (any::<bool>(), target, headers, ip, tls, any::<bool>()).prop_map(|(post, target, headers, ip, tls, other)| {
        let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).expect("a value"));
        let mut map = HeaderMap::new();
        for (name, value) in headers.into_iter().map(header) {
            map.append(name, value);
        }
        Inputs::first(Arc::new(RequestHead::new(Arrival {
            method: if post { Method::POST } else { Method::GET },
            target: target.as_bytes().to_vec(),
            authority: if other { "b.test" } else { "a.test" }.to_owned(),
            headers: map,
            client_ip: ip.map(|ip| ip.parse::<IpAddr>().expect("an address")),
            listener: if other { "inner" } else { "web" }.into(),
            tls: tls.map(|sni: Option<&str>| {
                Arc::new(DownstreamTls {
                    sni: sni.map(str::to_owned),
                    version: "TLSv1.3".to_owned(),
                    cipher: "c".to_owned(),
                    client_cert_sha256: sni.map(|sni| sni.as_bytes().to_vec()),
                })
            }),
        })))
    })
}

fn quiet(reads: &Reads) -> CacheFacts<'_> {
    CacheFacts { reads, has_logged: false }
}

fn answer(number: u8) -> CheckedDecision {
    let decision = match number % 8 {
        0 => contract::Decision::Pass,
        1 => contract::Decision::Respond(contract::Response {
            status: 200 + u16::from(number),
            headers: Vec::new(),
            body: Vec::new(),
        }),
        _ => contract::Decision::Connect(contract::Route::to(&format!("1.1.1.{number}:80"))),
    };
    let checked = with_policy(&Grants::default(), None, |policy| check(decision, policy));
    checked.map_or_else(|refusal| panic!("{refusal}"), CheckedDecision::from)
}

/// Evaluates a module as a fresh instance would.
fn evaluate(tree: &Tree, inputs: &Inputs) -> (CheckedDecision, Reads) {
    let (mut here, mut reads) = (tree, Reads::default());
    let settings = ModuleSettings::new(json!({"a": 1}));
    loop {
        match here {
            Tree::Answer(number) => return (answer(*number), reads),
            Tree::Read(read, branches) => {
                reads.note(read.clone());
                let saw = read.seen(inputs, &settings).to_string();
                let sum = saw.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
                here = &branches[sum % branches.len()];
            }
        }
    }
}

fn text(answer: &CheckedDecision) -> String {
    match answer {
        CheckedDecision::Connect(route) => route.peer.connection.target.to_string(),
        CheckedDecision::Respond(response) => response.status.to_string(),
        CheckedDecision::Pass => "pass".to_owned(),
    }
}

fn cache(entries: usize, bytes: usize) -> DecisionCache {
    DecisionCache::new(&Quota { cache_entries: entries, cache_bytes: bytes, ..Quota::default() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two modules of one tenant, a new version of the first half-way through, and a table that may be too small.
    #[test]
    fn cached_decisions_equal_the_modules(
        trees in [tree(), tree(), tree()],
        requests in vec(inputs(), 1..60),
        order in vec((any::<usize>(), any::<bool>()), 200),
        large in any::<bool>(),
    ) {
        let (entries, bytes) = if large { (10_000, 16 << 20) } else { (12, 40_000) };
        let cache = cache(entries, bytes);
        let roots: [Root; 3] = Default::default();
        for (turn, (inputs, second)) in order.into_iter().enumerate() {
            let inputs = &requests[inputs % requests.len()];
            let module = if second { 2 } else { usize::from(turn > 100) };
            let (would, reads) = evaluate(&trees[module], inputs);
            match cache.lookup(&roots[module], inputs) {
                Lookup::Hit(cached) => prop_assert_eq!(text(&cached), text(&would)),
                Lookup::Miss => cache.insert(&roots[module], inputs, quiet(&reads), &would).expect("cacheable"),
                Lookup::Skipped => prop_assert!(false, "lookups back off after a few misses"),
            }
            let (steps, counted) = cache.size();
            prop_assert!(steps <= entries && u64::try_from(bytes).is_ok_and(|bytes| counted <= bytes), "{steps} steps, {counted} bytes");
        }
    }

    /// Where reads depend on earlier values, the tree branches, until every request has its place in it.
    #[test]
    fn frequent_requests_are_cached(tree in tree(), requests in vec(inputs(), 1..30)) {
        let (cache, module) = (cache(10_000, 16 << 20), Root::default());
        let all_cached = (0..20).any(|_| {
            let unknown = requests.iter().filter(|inputs| match cache.lookup(&module, inputs) {
                Lookup::Hit(_) => false,
                Lookup::Miss | Lookup::Skipped => {
                    let (would, reads) = evaluate(&tree, inputs);
                    cache.insert(&module, inputs, quiet(&reads), &would).expect("cacheable");
                    true
                }
            });
            unknown.count() == 0
        });
        prop_assert!(all_cached);
    }

    #[test]
    fn decision_for_an_equal_request_is_cached(tree in tree(), inputs in inputs()) {
        let (cache, module) = (cache(1_000, 1 << 20), Root::default());
        let (would, reads) = evaluate(&tree, &inputs);
        cache.insert(&module, &inputs, quiet(&reads), &would).expect("cacheable");
        let Lookup::Hit(cached) = cache.lookup(&module, &inputs) else { panic!("a miss") };
        prop_assert_eq!(text(&cached), text(&would));
    }
}

fn with_cookie(cookie: &str) -> Inputs {
    let mut headers = HeaderMap::new();
    headers.insert("cookie", HeaderValue::from_str(cookie).expect("a value"));
    Inputs::first(Arc::new(RequestHead::new(Arrival {
        method: Method::GET,
        target: b"/".to_vec(),
        authority: "a.test".to_owned(),
        headers,
        client_ip: None,
        listener: "web".into(),
        tls: None,
    })))
}

fn by_cookie() -> Tree {
    Tree::Read(Read::Header(HeaderName::from_static("cookie")), (2..8).map(Tree::Answer).collect())
}

/// Evaluates and caches on a miss; returns whether it was a hit.
fn request(cache: &DecisionCache, module: &Root, inputs: &Inputs) -> bool {
    match cache.lookup(module, inputs) {
        Lookup::Hit(_) => true,
        Lookup::Miss | Lookup::Skipped => {
            let (answer, reads) = evaluate(&by_cookie(), inputs);
            cache.insert(module, inputs, quiet(&reads), &answer).expect("cacheable");
            false
        }
    }
}

/// A flood of values that come once each does not evict the values that come often.
#[test]
fn rare_values_do_not_evict_frequent_ones() {
    let (cache, module) = (cache(1_000, 4 << 20), Root::default());
    let often: Vec<_> = (0..100).map(|number| with_cookie(&format!("user={number}"))).collect();
    for _ in 0..20 {
        for inputs in &often {
            request(&cache, &module, inputs);
        }
    }
    for number in 0..50_000 {
        request(&cache, &module, &with_cookie(&format!("flood={number}")));
        request(&cache, &module, &often[number % often.len()]);
    }
    let kept = often.iter().filter(|inputs| request(&cache, &module, inputs)).count();
    assert!(kept >= 90, "{kept} of 100");
    let (steps, bytes) = cache.size();
    assert!(steps <= 1_000 && bytes <= 4 << 20, "{steps} steps, {bytes} bytes");
}

#[test]
fn decisions_that_read_other_state_are_not_cached() {
    let cache = cache(1_000, 1 << 20);
    let inputs = with_cookie(&"x".repeat(9_000));
    let refused =
        |seen: CacheFacts<'_>| cache.insert(&Root::default(), &inputs, seen, &answer(9)).expect_err("uncacheable");
    let reading = |read: Read| {
        let mut reads = Reads::default();
        reads.note(Read::Path);
        reads.note(read);
        reads
    };
    for (read, part) in [
        (Read::Now(1), "clock"),
        (Read::Random(1), "random"),
        (Read::RandomSeed([0; 32]), "random"),
        (Read::SharedDelete("a".to_owned()), "shared"),
        (Read::Group { name: "a".to_owned(), members: None }, "upstreams"),
    ] {
        let reason = refused(quiet(&reading(read)));
        assert!(matches!(reason, Uncacheable::Read(_)) && reason.name() == part, "{reason:?}");
    }
    assert_eq!(refused(quiet(&reading(Read::Header(HeaderName::from_static("cookie"))))), Uncacheable::Size);
    assert_eq!(refused(quiet(&reading(Read::ConfigGet("/".repeat(2_000))))), Uncacheable::Size);
    let reads = Reads::default();
    assert_eq!(refused(CacheFacts { reads: &reads, has_logged: true }), Uncacheable::Log);
    assert_eq!(cache.size(), (0, 0));
}

/// A module that always makes the same reads needs one step per decision.
#[test]
fn reads_that_do_not_depend_on_each_other_are_one_step() {
    let (cache, module) = (cache(1_000, 1 << 20), Root::default());
    let reads = [Read::Path, Read::Header(HeaderName::from_static("cookie")), Read::Authority];
    let tree = reads.into_iter().rev().fold(Tree::Answer(9), |next, read| Tree::Read(read, vec![next]));
    for number in 1..=10 {
        let inputs = with_cookie(&number.to_string());
        let (answer, reads) = evaluate(&tree, &inputs);
        cache.insert(&module, &inputs, quiet(&reads), &answer).expect("cacheable");
        assert_eq!(cache.size().0, number);
    }
}

/// A long header is a miss, and costs no more than reading it up to the limit.
#[test]
fn request_with_an_oversized_value_is_a_miss() {
    let (cache, module) = (cache(1_000, 1 << 20), Root::default());
    assert!(!request(&cache, &module, &with_cookie("a")));
    assert!(request(&cache, &module, &with_cookie("a")));
    assert!(matches!(cache.lookup(&module, &with_cookie(&"x".repeat(9_000))), Lookup::Miss));
}
