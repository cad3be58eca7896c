//! All parts except `peer` and `echo`.

use std::cmp::Reverse;
use std::collections::HashMap;

use http::Method;
use pointsman_rules::contract::{Attempt, Decision, Failure, Level, Response, Route, Stage};
use twox_hash::XxHash64;

use crate::case::{CONFIG, Case, TestRequest, UPSTREAMS, header, plain};
use crate::dice::Dice;
use crate::echo::cookies;

fn attempt(dice: &mut Dice, number: u32) -> Attempt {
    Attempt {
        number,
        address: dice.one_of(&["192.0.2.1:80", "[2001:db8::1]:443", "shop.example:443", "unix:/run/é.sock"]).to_owned(),
        stage: dice.pick(&Stage::ALL),
        failure: dice.pick(&Failure::ALL),
        status: dice.once_in(2).then(|| dice.number(u16::MAX.into()) as u16),
        reused_connection: dice.once_in(2),
        request_sent: dice.once_in(2),
        elapsed_ms: dice.number(u32::MAX.into()) as u32,
        detail: dice.text(),
    }
}

fn some_attempts(dice: &mut Dice) -> Vec<Attempt> {
    (1..=dice.below(6) as u32).map(|number| attempt(dice, number)).collect()
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

pub fn attempts(dice: &mut Dice) -> Case {
    let attempts = some_attempts(dice);
    let mut body = String::new();
    for attempt in &attempts {
        let reused = if attempt.reused_connection { "reused" } else { "new" };
        let sent = if attempt.request_sent { "sent" } else { "unsent" };
        let Attempt { number, address, stage, failure, elapsed_ms, detail, .. } = attempt;
        let (stage, failure, status) = (stage.name(), failure.name(), or_dash(attempt.status));
        body += &format!("{number} {address} {stage} {failure} {status} {reused} {sent} {elapsed_ms} {detail}\n");
    }
    TestRequest { attempts, ..TestRequest::new("/attempts") }.expects(plain(body))
}

pub fn failover(dice: &mut Dice) -> Case {
    let attempts = some_attempts(dice);
    let last = attempts.last().map(|last| (Level::Warn, format!("{} failed: {}", last.address, last.failure.name())));
    let decision = match UPSTREAMS.get(attempts.len()) {
        Some(upstream) => {
            let mut route = Route::to(upstream);
            route.retry.on_status = vec![502, 503];
            Decision::Connect(route)
        }
        None => Decision::Respond(Response {
            status: 503,
            headers: vec![header("content-type", "text/plain; charset=utf-8"), header("retry-after", "30")],
            body: b"no upstream is left\n".to_vec(),
        }),
    };
    TestRequest { attempts, ..TestRequest::new("/failover/a/b?c=d") }
        .expects_and_logs(Ok(decision), last.into_iter().collect())
}

fn percent(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64 * 100.0
}

pub fn canary(dice: &mut Dice) -> Case {
    let mut request = TestRequest::new("/canary/");
    request.client_ip = [198, 51, 100, dice.bits() as u8].into();
    if dice.once_in(4) {
        request.client_ip = [0x2001, 0xdb8, 0, 0, 0, 0, 0, dice.bits() as u16].into();
    }
    if !dice.once_in(3) {
        let session = dice.bits() % 1000;
        request.headers.push(("cookie".to_owned(), format!("theme=dark; session={session}; session=2").into_bytes()));
    }
    let head = request.head();
    let session = cookies(&head).into_iter().find(|(name, _)| name == "session").map(|(_, value)| value);
    let visitor = session.unwrap_or_else(|| head.client_ip());
    let is_canary = percent(XxHash64::oneshot(0, visitor.as_bytes())) < 25.0;
    let (note, upstream) = if is_canary { ("canary", UPSTREAMS[1]) } else { ("stable", UPSTREAMS[0]) };
    let mut route = Route::to(upstream);
    route.note = Some(note.to_owned());
    request.expects(Ok(Decision::Connect(route)))
}

pub fn hash(dice: &mut Dice) -> Case {
    let mut keys: Vec<String> = (0..dice.within(1..5)).map(|_| dice.text().repeat(dice.below(9))).collect();
    // Lengths around the algorithm's own: 4, 8, 32 bytes.
    let edge = dice.pick(&[0_usize, 1, 3, 4, 5, 7, 8, 9, 12, 31, 32, 33, 36, 40, 63, 64, 65, 100]);
    keys.push("k".repeat(edge));
    let mut body = String::new();
    for key in &keys {
        let hash = XxHash64::oneshot(0, key.as_bytes());
        let mut rank = UPSTREAMS.to_vec();
        rank.sort_by_key(|node| Reverse((XxHash64::oneshot(hash, node.as_bytes()), *node)));
        body += &format!("{hash:016x} {} {}\n", (percent(hash) * 10.0).floor(), rank.join(","));
    }
    let parameters: Vec<(&str, &str)> = keys.iter().map(|key| ("key", key.as_str())).collect();
    TestRequest::part(dice, "hash", &parameters).expects(plain(body))
}

pub fn config(dice: &mut Dice) -> Case {
    const POINTERS: [&str; 16] = [
        "",
        "/name",
        "/upstreams",
        "/upstreams/0",
        "/upstreams/3",
        "/upstreams/-",
        "/percent",
        "/deep",
        "/deep/a~1b",
        "/deep/a~1b/~0/1",
        "/deep/a/b",
        "name",
        "/Name",
        "/",
        "/upstreams/00",
        "/deep/a~1b/~0",
    ];
    let config: serde_json::Value = serde_json::from_str(CONFIG).expect("JSON");
    let pointers: Vec<&str> = (0..dice.within(1..6)).map(|_| dice.pick(&POINTERS)).collect();
    let mut body = format!("{config}\n");
    for pointer in &pointers {
        let value = config.pointer(pointer);
        body += &format!("{} {}\n", or_dash(value), or_dash(value.and_then(|value| value.as_str())));
    }
    let parameters: Vec<(&str, &str)> = pointers.iter().map(|pointer| ("pointer", *pointer)).collect();
    TestRequest::part(dice, "config", &parameters).expects(plain(body))
}

enum Entry {
    Counter(i64),
    Value(String),
}

pub fn shared(dice: &mut Dice) -> Case {
    let mut entries: HashMap<&str, Entry> = HashMap::new();
    let mut parameters: Vec<(&str, String)> = Vec::new();
    let (mut body, mut wrong) = (String::new(), None);
    let long = "k".repeat(257);
    for _ in 0..dice.within(1..10) {
        let sixth = if dice.once_in(5) { long.as_str() } else { "c" };
        let key = dice.one_of(&["a", "b", "clé", "a", "b", sixth]);
        let too_long = key.len() > 256;
        let amount = dice.pick(&[1, -1, 5, i64::MAX, i64::MIN, 0, 100]);
        let value = dice.text();
        let line = match dice.below(9) {
            0 | 1 => {
                let with_ttl = dice.once_in(3);
                let ttl = if with_ttl { ":60000" } else { "" };
                parameters.push((if with_ttl { "add-ttl" } else { "add" }, format!("{key}:{amount}{ttl}")));
                let sum = match entries.get(key) {
                    _ if too_long => Err("too-long"),
                    Some(Entry::Value(_)) => Err("other-kind"),
                    Some(Entry::Counter(counter)) => counter.checked_add(amount).ok_or("overflow"),
                    None => Ok(amount),
                };
                match sum {
                    Ok(sum) => {
                        entries.insert(key, Entry::Counter(sum));
                        format!("add {sum}")
                    }
                    Err(error) => format!("error {error}"),
                }
            }
            2 => {
                parameters.push(("counter", key.to_owned()));
                match entries.get(key) {
                    Some(Entry::Counter(counter)) => format!("counter {counter}"),
                    _ => "counter -".to_owned(),
                }
            }
            3 | 4 => {
                parameters.push(("get", key.to_owned()));
                match entries.get(key) {
                    Some(Entry::Value(value)) => format!("get {value}"),
                    _ => "get -".to_owned(),
                }
            }
            5 | 6 => {
                parameters.push(("set", format!("{key}:{value}")));
                match entries.get(key) {
                    _ if too_long => "error too-long".to_owned(),
                    Some(Entry::Counter(_)) => "error other-kind".to_owned(),
                    _ => {
                        entries.insert(key, Entry::Value(value));
                        "set".to_owned()
                    }
                }
            }
            7 => {
                let now = match entries.get(key) {
                    Some(Entry::Value(value)) if !value.contains(':') => value.clone(),
                    _ => String::new(),
                };
                let expected = if dice.once_in(3) { "other".to_owned() } else { now };
                parameters.push(("swap", format!("{key}:{expected}:{value}")));
                match entries.get(key) {
                    _ if too_long => "error too-long".to_owned(),
                    Some(Entry::Counter(_)) => "error other-kind".to_owned(),
                    Some(Entry::Value(now)) if *now == expected && !expected.is_empty() => {
                        entries.insert(key, Entry::Value(value));
                        "swap true".to_owned()
                    }
                    None if expected.is_empty() => {
                        entries.insert(key, Entry::Value(value));
                        "swap true".to_owned()
                    }
                    _ => "swap false".to_owned(),
                }
            }
            _ => {
                parameters.push(("delete", key.to_owned()));
                entries.remove(key);
                "delete".to_owned()
            }
        };
        body += &line;
        body.push('\n');
    }
    if dice.once_in(6) {
        let (name, value) = dice.pick(&[
            ("add", "a"),
            ("add", "a:"),
            ("add", "a:1.5"),
            ("add", "a:9223372036854775808"),
            ("set", "a"),
            ("swap", "a:b"),
        ]);
        parameters.push((name, value.to_owned()));
        wrong = Some(format!("bad value for {name}: {value}"));
    }
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    TestRequest::part(dice, "shared", &parameters).expects(match wrong {
        Some(error) => Err(error),
        None => plain(body),
    })
}

pub fn upstreams(dice: &mut Dice) -> Case {
    const GETS: [(&str, &str); 5] = [
        ("192.0.2.1:80", "unknown 2 - 0"),
        ("192.0.2.2:80", "unknown 0 1500 0"),
        ("unix:/run/shop.sock", "unknown 0 - 3"),
        ("192.0.2.9:80", "unknown 0 - 0"),
        ("no address", "unknown 0 - 0"),
    ];
    let (mut parameters, mut body) = (Vec::new(), String::new());
    for _ in 0..dice.within(1..6) {
        match dice.below(4) {
            0 => {
                parameters.push(("group", "backends"));
                body += "192.0.2.1:80 unknown 2 - 0\n192.0.2.2:80 unknown 0 1500 0\n[2001:db8::1]:443 unknown 1 - 0\n";
            }
            1 => {
                parameters.push(("group", "none such"));
                body += "no group none such\n";
            }
            _ => {
                let (address, line) = dice.pick(&GETS);
                parameters.push(("get", address));
                body += &format!("{address} {line}\n");
            }
        }
    }
    TestRequest::part(dice, "upstreams", &parameters).expects(plain(body))
}

pub fn log(dice: &mut Dice) -> Case {
    const LEVELS: [(&str, Level); 5] = [
        ("trace", Level::Trace),
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("warn", Level::Warn),
        ("error", Level::Error),
    ];
    let lines: Vec<((&str, Level), String)> =
        (0..dice.within(1..6)).map(|_| (dice.pick(&LEVELS), dice.plain())).collect();
    let parameters: Vec<(&str, &str)> = lines.iter().map(|((name, _), text)| (*name, text.as_str())).collect();
    let request = TestRequest::part(dice, "log", &parameters);
    request.expects_and_logs(Ok(Decision::Pass), lines.into_iter().map(|((_, level), text)| (level, text)).collect())
}

pub fn respond(dice: &mut Dice) -> Case {
    let status = if dice.once_in(4) { None } else { Some(dice.number(u16::MAX.into()) as u16) };
    let headers: Vec<(String, String)> = (0..dice.below(5)).map(|_| (dice.name(), dice.text())).collect();
    let body = if dice.once_in(4) { None } else { Some(dice.text().repeat(dice.within(1..50))) };
    let status_text = status.map(|status| status.to_string());
    let header_texts: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    let mut parameters: Vec<(&str, &str)> = header_texts.iter().map(|text| ("header", text.as_str())).collect();
    parameters.extend(status_text.as_deref().map(|status| ("status", status)));
    parameters.extend(body.as_deref().map(|body| ("body", body)));
    TestRequest::part(dice, "respond", &parameters).expects(Ok(Decision::Respond(Response {
        status: status.unwrap_or(200),
        headers: headers.iter().map(|(name, value)| header(name, value)).collect(),
        body: body.unwrap_or_default().into_bytes(),
    })))
}

pub fn error(dice: &mut Dice) -> Case {
    let text = dice.plain();
    TestRequest::part(dice, "error", &[("other", "1"), ("text", &text)]).expects(Err(text))
}

/// Requests that are the same each time.
pub fn plainest(dice: &mut Dice) -> Case {
    match dice.below(6) {
        0 => TestRequest::new("/clock").expects(plain("ok\n")),
        1 => TestRequest::new("/random?x").expects(plain("ok\n")),
        2 => TestRequest::new("/pass/on").expects(Ok(Decision::Pass)),
        3 => TestRequest::new("/configured").expects(plain(format!("configured {} 1\n", CONFIG.len()))),
        4 => TestRequest { method: Method::OPTIONS, ..TestRequest::new("*") }.expects(Err("unknown part ".to_owned())),
        _ => {
            let (target, part) = dice.pick(&[
                ("/", ""),
                ("//pass", ""),
                ("/Pass", "Pass"),
                ("/p%61ss/x", "p%61ss"),
                ("/pass%2Fx?y", "pass%2Fx"),
                ("/peers?address=a", "peers"),
                ("/?part=pass", ""),
            ]);
            TestRequest::new(target).expects(Err(format!("unknown part {part}")))
        }
    }
}
