//! Whole files: a good one, and bad ones beside the exact text that a user sees.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::*;

#[track_caller]
fn golden(text: &str, expected: &str) {
    let message = parse(text, Path::new("pointsman.toml")).map(drop).map_err(|errors| errors.to_string());
    assert_eq!(message, Err(expected.trim_end().to_owned()));
}

#[test]
fn every_problem_of_a_file_is_told_at_once() {
    golden(include_str!("golden/many.toml"), include_str!("golden/many.txt"));
}

#[test]
fn broken_toml_is_told_with_its_line() {
    golden(include_str!("golden/syntax.toml"), include_str!("golden/syntax.txt"));
}

#[test]
fn empty_file_lacks_listener_and_tenant() {
    golden(include_str!("golden/empty.toml"), include_str!("golden/empty.txt"));
}

#[test]
fn missing_file_is_told_by_name() {
    let message = load(Path::new("/no/such/pointsman.toml")).map(drop).map_err(|errors| errors.to_string());
    assert_eq!(
        message,
        Err("/no/such/pointsman.toml: cannot be read: No such file or directory (os error 2)".to_owned())
    );
}

#[test]
fn good_file_becomes_a_configuration() {
    let config = parse(include_str!("golden/good.toml"), Path::new("/etc/pointsman/pointsman.toml")).unwrap();
    assert_eq!((config.proxy.threads, config.proxy.shutdown_timeout), (4, Duration::ZERO));
    assert_eq!(config.log.access, AccessLog::File(PathBuf::from("/etc/pointsman/logs/access.log")));

    let [plain, tls] = &config.listeners[..] else { panic!("{:?}", config.listeners) };
    assert_eq!((plain.h2c, plain.head_timeout), (ListenerConfig::H2C, ListenerConfig::HEAD_TIMEOUT));
    assert_eq!((tls.h2c, tls.head_timeout), (false, Duration::from_millis(2500)));
    assert_eq!(tls.address, SocketAddr::from(([0; 8], 8443)));
    let files = tls.tls.as_ref().unwrap();
    assert_eq!(files.certificate, Path::new("/etc/pointsman/server.pem"));
    assert_eq!(files.key, Path::new("/etc/keys/server.key"));

    let [shop, rest] = &config.tenants[..] else { panic!("{:?}", config.tenants) };
    assert_eq!(
        shop.hostnames,
        [HostPattern::Exact("shop.example".to_owned()), HostPattern::Wildcard("shop.example".to_owned())]
    );
    assert_eq!(shop.modules[0].path, Path::new("/etc/pointsman/modules/canary.wasm"));
    assert_eq!(
        shop.modules[0].config,
        json!({"percent": 12.5, "since": "2026-11-23", "sides": ["a", "b"], "deep": {"on": true, "n": 16}})
    );
    assert_eq!(shop.modules[1].config, json!({}));
    assert_eq!(shop.limits, Limits { memory_bytes: 2 * 1024 * 1024, ..Limits::default() });
    assert_eq!(shop.upstream.tcp_keepalive.map(|keepalive| keepalive.idle), Some(Duration::from_secs(60)));
    assert_eq!(shop.failure.status.map(|status| status.as_u16()), Some(503));
    assert_eq!(shop.grants, Grants { verify_none: true, ..Grants::default() });
    assert_eq!((rest.hostnames.as_slice(), &rest.limits), (&[HostPattern::Any][..], &Limits::default()));
}

/// Whatever stands in a file, it ends in a configuration or in a message.
#[test]
#[expect(clippy::string_slice, reason = "only at the ends of characters")]
fn no_file_can_panic() {
    let whole = include_str!("golden/many.toml");
    for end in (0..whole.len()).filter(|&end| whole.is_char_boundary(end)) {
        let _ = parse(&whole[..end], Path::new("pointsman.toml"));
    }
    for junk in ["\"", "[", "9999999999999999999999", "-", "=", "\u{0}", "é", "[[tenant]]", "nan"] {
        for at in (0..whole.len()).step_by(3).filter(|&at| whole.is_char_boundary(at)) {
            let _ = parse(&format!("{}{junk}{}", &whole[..at], &whole[at..]), Path::new("pointsman.toml"));
        }
    }
}

/// `docs/configuration.md` states each default in a table row: | `key` | type and range | default | meaning |.
#[test]
fn documented_defaults_are_the_real_ones() {
    let docs = include_str!("../../../docs/configuration.md");
    let (limits, upstream) = (Limits::default(), UpstreamDefaults::default());
    let ms = |duration: Duration| duration.as_millis().to_string();
    for (key, default) in [
        ("idle_connections", ProxyConfig::IDLE_CONNECTIONS.to_string()),
        ("error_header", ProxyConfig::ERROR_HEADER.to_string()),
        ("shutdown_timeout_ms", ms(ProxyConfig::SHUTDOWN_TIMEOUT)),
        ("h2c", ListenerConfig::H2C.to_string()),
        ("max_head_bytes", ListenerConfig::MAX_HEAD_BYTES.to_string()),
        ("head_timeout_ms", ms(ListenerConfig::HEAD_TIMEOUT)),
        ("keepalive_timeout_ms", ms(ListenerConfig::KEEPALIVE_TIMEOUT)),
        ("decision_ms", ms(limits.decision)),
        ("memory_mib", (limits.memory_bytes / 1024 / 1024).to_string()),
        ("table_elements", limits.table_elements.to_string()),
        ("instances", limits.instances.to_string()),
        ("handles", limits.handles.to_string()),
        ("host_call_bytes", limits.host_call_bytes.to_string()),
        ("log_bytes", limits.log_bytes.to_string()),
        ("attempts", limits.attempts.to_string()),
        ("response_body_bytes", limits.response_body_bytes.to_string()),
        ("connect_timeout_ms", ms(upstream.connect_timeout)),
        ("total_connect_timeout_ms", ms(upstream.total_connect_timeout)),
        ("read_timeout_ms", ms(upstream.read_timeout)),
        ("write_timeout_ms", ms(upstream.write_timeout)),
        ("idle_timeout_ms", ms(upstream.idle_timeout)),
        ("max_h2_streams", upstream.max_h2_streams.to_string()),
        ("content_type", format!("\"{}\"", FailureAnswer::default().content_type)),
    ] {
        let row = docs.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let documented = row.and_then(|row| row.split('|').nth(3)).map(|cell| cell.trim().trim_matches('`'));
        assert_eq!(documented, Some(default.as_str()), "`{key}`");
    }
}
