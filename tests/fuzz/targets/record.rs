//! Any record is accepted or refused with the name of its field; nothing panics, and no accepted record leads where the
//! tenant may not connect.
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use pointsman_rules::check::{CredentialNames, OwnAddresses, Policy, Target, Verdict, check};
use pointsman_rules::config::{Grants, Limits, UpstreamDefaults};
use pointsman_rules::contract::*;

fuzz_target!(|data: &[u8]| {
    let Ok(decision) = decision(&mut Unstructured::new(data)) else { return };
    let (limits, upstream, own) = (Limits::default(), UpstreamDefaults::default(), OwnAddresses::default());
    let grants = Grants { bind_to: true, verify_none: true, unix_sockets: vec!["/run/".to_owned()], ..Grants::default() };
    let credentials = CredentialNames::default();
    let policy = Policy {
        limits: &limits,
        upstream: &upstream,
        grants: &grants,
        credentials: &credentials,
        own: &own,
        local_ports: Some((1024, 60_000)),
        tls_groups: |_| true,
    };
    match check(decision, &policy) {
        Ok(Verdict::Connect(route)) => {
            let connection = &route.peer.connection;
            match connection.next_hop() {
                Target::Socket(address) => {
                    let ip = address.ip().to_canonical();
                    assert!(!ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast(), "{ip}");
                    assert!(policy.egress().permit(*address).is_ok());
                }
                Target::Unix(path) => assert!(path.starts_with("/run/"), "{path:?}"),
                Target::Name { host, port } => assert!(!host.is_empty() && *port != 0),
            }
            assert!(connection.tls.as_ref().is_none_or(|tls| tls.server_name.is_some() || tls.verify == Verify::None));
        }
        Ok(Verdict::Respond(_) | Verdict::Pass) => {}
        Err(refusal) => {
            let message = refusal.to_string();
            assert!(message.starts_with('`') && !message.chars().any(char::is_control), "{message:?}");
        }
    }
});

type U<'a, 'b> = &'a mut Unstructured<'b>;

/// Half of the addresses begin as ones that people and attackers write.
fn address(u: U) -> Result<String> {
    const STARTS: [&str; 12] = [
        "1.1.1.7:80", "127.0.0.1:80", "[::1]:80", "[::ffff:10.0.0.1]:80", "[64:ff9b::1.2.3.4]:443", "unix:/run/a",
        "shop.example:443", "127.1:80", "0x7f.1:80", "[fe80::1%eth0]:80", "unix:/run/../etc", "[2002:a00:1::]:8080",
    ];
    let mut text = match u.ratio(1, 2)? {
        true => (*u.choose(&STARTS)?).to_owned(),
        false => String::new(),
    };
    if u.arbitrary()? {
        let at = text.char_indices().nth(u.choose_index(text.len().max(1))?).map_or(text.len(), |(at, _)| at);
        text.insert_str(at, u.arbitrary()?);
    }
    Ok(text)
}

fn maybe<T>(u: U, make: impl FnOnce(U) -> Result<T>) -> Result<Option<T>> {
    match u.arbitrary()? {
        true => make(u).map(Some),
        false => Ok(None),
    }
}

fn text(u: U) -> Result<String> {
    u.arbitrary()
}

fn headers(u: U) -> Result<Vec<Header>> {
    let mut headers = Vec::new();
    while headers.len() < 200 && u.ratio(2, 3)? {
        headers.push(Header { name: u.arbitrary()?, value: u.arbitrary()? });
    }
    Ok(headers)
}

fn decision(u: U) -> Result<Decision> {
    Ok(match u.int_in_range(0..=9)? {
        0 => Decision::Pass,
        1 => Decision::Respond(Response { status: u.arbitrary()?, headers: headers(u)?, body: u.arbitrary()? }),
        _ => Decision::Connect(Route {
            peer: peer(u)?,
            rewrite: Rewrite {
                authority: maybe(u, text)?,
                path_and_query: maybe(u, text)?,
                remove_headers: u.arbitrary()?,
                set_headers: headers(u)?,
                add_headers: headers(u)?,
            },
            retry: RetryPolicy { attempts: u.arbitrary()?, on_status: u.arbitrary()? },
            note: maybe(u, text)?,
        }),
    })
}

fn peer(u: U) -> Result<Peer> {
    let verify = [Verify::Full, Verify::ChainOnly, Verify::None];
    let quirk = |u: U, flag| Ok(if u.arbitrary()? { flag } else { Quirks::empty() });
    Ok(Peer {
        address: address(u)?,
        tls: maybe(u, |u| {
            Ok(Tls {
                sni: maybe(u, text)?,
                verify: *u.choose(&verify)?,
                alternative_cn: maybe(u, text)?,
                ca: maybe(u, text)?,
                client_cert: maybe(u, text)?,
                curves: maybe(u, text)?,
                second_key_share: u.arbitrary()?,
            })
        })?,
        connect_proxy: maybe(u, |u| Ok(ConnectProxy { address: address(u)?, headers: headers(u)? }))?,
        bind_to: maybe(u, |u| {
            Ok(BindTo { address: maybe(u, address)?, port_range: u.arbitrary()?, fallback: u.arbitrary()? })
        })?,
        timeouts: Timeouts {
            connect_ms: u.arbitrary()?,
            total_connect_ms: u.arbitrary()?,
            read_ms: u.arbitrary()?,
            write_ms: u.arbitrary()?,
            idle_ms: u.arbitrary()?,
        },
        tcp_keepalive: maybe(u, |u| {
            Ok(TcpKeepalive {
                idle_s: u.arbitrary()?,
                interval_s: u.arbitrary()?,
                count: u.arbitrary()?,
                user_timeout_ms: u.arbitrary()?,
            })
        })?,
        http: HttpOptions {
            alpn: *u.choose(&[Alpn::H1, Alpn::H2, Alpn::H2h1])?,
            max_h2_streams: u.arbitrary()?,
            h2_ping_interval_ms: u.arbitrary()?,
            h2_stream_window: u.arbitrary()?,
            h2_connection_window: u.arbitrary()?,
            upgrade: *u.choose(&[Upgrade::Websocket, Upgrade::Any, Upgrade::Deny])?,
            quirks: quirk(u, Quirks::KEEP_HOP_BY_HOP)? | quirk(u, Quirks::ACCEPT_INVALID_CONTENT_LENGTH)?,
        },
        socket: SocketOptions { dscp: u.arbitrary()?, tcp_recv_buf: u.arbitrary()?, tcp_fast_open: u.arbitrary()? },
        isolation: maybe(u, text)?,
    })
}
