//! Tests of the configuration that a file gives: values, defaults, paths, and files that can't be read.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::*;

const LEAST: &str = r#"
[[listener]]
name = "web"
address = "127.0.0.1:8080"
[[tenant]]
name = "shop"
hostnames = ["*"]
[[tenant.module]]
path = "router.wasm"
"#;

#[track_caller]
fn good(text: &str, file: &str) -> Config {
    parse(text, Path::new(file)).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn every_value_of_a_file_is_read() {
    let ms = Duration::from_millis;
    let config = good(include_str!("../golden/good.toml"), "/etc/pointsman/pointsman.toml");
    assert_eq!(
        config.proxy,
        ProxyConfig {
            threads: 4,
            idle_connections: 1,
            ca_file: Some(PathBuf::from("/etc/pointsman/roots.pem")),
            error_header: false,
            shutdown_timeout: Duration::ZERO,
            watch: false,
            cache_dir: Some(PathBuf::from("/var/cache/pointsman")),
            cache_bytes: 64 * 1024 * 1024,
            state_dir: Some(PathBuf::from("/etc/pointsman/state")),
            upgrade_socket: Some(PathBuf::from("/run/pointsman/upgrade.sock")),
            max_connections: Some(5_000),
            memory: Some(2_048 * 1024 * 1024),
        }
    );
    let access = AccessLog::File(PathBuf::from("/etc/pointsman/logs/access.log"));
    assert_eq!(config.log, LogConfig { level: LogLevel::Debug, format: LogFormat::Json, access });

    let dns = |text: &str| text.parse::<SocketAddr>().unwrap();
    assert_eq!(
        config.resolver,
        ResolverConfig {
            servers: vec![dns("192.0.2.53:53"), dns("[2001:db8::53]:53"), dns("[2001:db8::53]:5353")],
            hosts_file: Some(PathBuf::from("/etc/pointsman/hosts")),
            families: Families::Ipv6,
            timeout: ms(1),
            cache_entries: 2,
            min_ttl: ms(3_000),
            max_ttl: ms(60_000),
            negative_ttl: ms(5_000),
            stale: ms(6_000),
        }
    );

    let admin = AdminConfig {
        socket: Some(PathBuf::from("/run/admin.sock")),
        address: Some(SocketAddr::from(([127, 0, 0, 1], 9_999))),
        token_file: Some(PathBuf::from("/etc/pointsman/token")),
        hosts: vec!["metrics.example".to_owned(), "::1".to_owned()],
    };
    assert_eq!(config.admin, Some(admin));
    let [plain, tls, h1, _] = &config.listeners[..] else { panic!("{:?}", config.listeners) };
    assert_eq!((plain.name.as_str(), plain.h2c, &plain.tls), ("web", true, &None));
    assert_eq!(
        tls,
        &ListenerConfig {
            name: "web-tls".to_owned(),
            address: SocketAddr::from(([0_u16; 8], 8443)),
            tls: Some(ListenerTls {
                certificate: PathBuf::from("/etc/pointsman/server.pem"),
                key: PathBuf::from("/etc/keys/server.key"),
                handshake_timeout: ms(5_000),
            }),
            h2c: false,
            max_head_bytes: 16_384,
            head_timeout: ms(2_500),
            keepalive_timeout: ms(75_000),
            first_byte_timeout: ms(3_000),
            body_timeout: ms(4_000),
            body_rate: 1_000,
            send_timeout: ms(6_000),
            max_requests: 100,
            max_age: ms(600_000),
            linger: ms(0),
            max_connections: Some(500),
            max_connections_per_client: Some(50),
            http2: Http2Config {
                max_streams: 32,
                send_buffer_bytes: 32_768,
                stream_window_bytes: 131_072,
                connection_window_bytes: 1_048_576,
            },
            forwarded: ForwardedConfig {
                trusted: vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.1/32".parse().unwrap()],
                x_forwarded: false,
                forwarded: true,
                via: false,
            },
        }
    );
    assert!(!h1.h2c);

    let [shop, rest] = &config.tenants[..] else { panic!("{:?}", config.tenants) };
    assert_eq!(
        shop.matching.hostnames,
        [
            HostPattern::Exact("shop.example".to_owned()),
            HostPattern::Wildcard("shop.example".to_owned()),
            HostPattern::Exact("2001:db8::1".to_owned()),
        ]
    );
    let modules = [
        ModuleConfig {
            path: PathBuf::from("/etc/pointsman/modules/canary.wasm"),
            config: json!({"percent": 12.5, "since": "2026-11-23", "sides": ["a", "b"], "deep": {"on": true, "n": 16}}),
            warm: Warm::Never,
        },
        ModuleConfig { path: PathBuf::from("/etc/pointsman/modules/fixed.wasm"), config: json!({}), warm: Warm::Auto },
    ];
    assert_eq!(shop.modules, modules);
    assert_eq!(
        shop.limits,
        TenantLimits::from(Limits {
            decision: ms(20),
            configure: ms(30),
            memory_bytes: 2 * 1024 * 1024,
            table_elements: 500,
            instances: 3,
            handles: 50,
            host_call_bytes: 4_096,
            host_calls: 77,
            log_bytes: 0,
            attempts: 1,
            response_body_bytes: 0,
        })
    );
    assert_eq!(
        shop.release,
        ReleaseConfig {
            stage: Stage::Shadow,
            canary_percent: 1,
            promote_after: 2,
            promote_after_time: ms(3),
            abort_failures: 4,
            rollback_failures: 6,
            rollback_window: ms(7),
            history: 8,
        }
    );
    assert_eq!(
        shop.upstream,
        UpstreamDefaults {
            connect_timeout: ms(1),
            total_connect_timeout: ms(2),
            read_timeout: ms(3),
            write_timeout: ms(4),
            overall_timeout: ms(7),
            idle_timeout: Duration::ZERO,
            tcp_keepalive: Some(TcpKeepalive {
                idle: Duration::from_secs(60),
                interval: Duration::from_secs(5),
                count: 3,
                user_timeout: ms(1_500),
            }),
            max_h2_streams: 5,
        }
    );
    assert_eq!(shop.instance_calls, 9);
    assert_eq!(
        shop.quota,
        Quota {
            cpu_percent: Some(5),
            concurrent_decisions: Some(6),
            concurrent_requests: 7,
            connections: Some(13),
            peers: 8,
            lookups_per_s: 14,
            log_bytes_per_s: 9,
            shared_bytes: 10,
            cache_entries: 15,
            cache_bytes: 16,
        }
    );
    assert_eq!(shop.breaker, BreakerConfig { failures: 0, open: ms(11), probes: 12 });
    let fallback = ModuleConfig {
        path: PathBuf::from("/etc/pointsman/modules/previous.wasm"),
        config: json!({"address": "203.0.113.7:80"}),
        warm: Warm::Always,
    };
    assert_eq!(shop.failure.modules, [fallback]);
    let peer = FallbackPeer {
        address: "203.0.113.7:443".to_owned(),
        tls: true,
        sni: Some("shop.example".to_owned()),
        ca: Some("roots".to_owned()),
    };
    assert_eq!(shop.failure.peer, Some(peer));
    let [tcp, http] = &shop.groups[..] else { panic!("{:?}", shop.groups) };
    let addresses = vec!["203.0.113.7:80".parse().unwrap(), "[2001:db8::7]:80".parse().unwrap()];
    let check = HealthCheckConfig { probe: Probe::Tcp, interval: ms(10), timeout: ms(1), successes: 4, failures: 5 };
    assert_eq!(*tcp, GroupConfig { name: "tcp".to_owned(), addresses, health_check: Some(check) });
    let probe = Probe::Http { path: "/health?deep".to_owned(), host: Some("shop.internal".to_owned()) };
    assert_eq!(http.health_check.as_ref().map(|check| &check.probe), Some(&probe));
    let failure = &shop.failure.answer;
    assert_eq!(failure.status.map(|status| status.as_u16()), Some(503));
    assert_eq!((failure.body.as_str(), failure.content_type.as_str()), ("We will be back soon.", "text/html"));
    let unix_sockets = vec!["/run/app.sock".to_owned(), "/run/apps/".to_owned()];
    assert_eq!(
        shop.grants,
        Grants {
            verify_chain_only: false,
            verify_none: true,
            bind_to: true,
            networks: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            ports: vec![25, 6_000],
            unix_sockets,
            credentials: vec!["roots".to_owned()]
        }
    );
    assert_eq!((rest.name.as_str(), rest.matching.hostnames.as_slice()), ("rest", &[HostPattern::Any][..]));
}

#[test]
fn missing_values_get_the_defaults_of_the_model() {
    let config = good(LEAST, "pointsman.toml");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(
        config.proxy,
        ProxyConfig {
            threads,
            idle_connections: ProxyConfig::IDLE_CONNECTIONS,
            ca_file: None,
            error_header: ProxyConfig::ERROR_HEADER,
            shutdown_timeout: ProxyConfig::SHUTDOWN_TIMEOUT,
            watch: ProxyConfig::WATCH,
            cache_dir: None,
            cache_bytes: ProxyConfig::CACHE_BYTES,
            state_dir: None,
            upgrade_socket: None,
            max_connections: None,
            memory: None,
        }
    );
    let log = LogConfig { level: LogConfig::LEVEL, format: LogConfig::FORMAT, access: LogConfig::ACCESS };
    assert_eq!(config.log, log);
    assert_eq!(config.listeners, [ListenerConfig::new("web".to_owned(), SocketAddr::from(([127, 0, 0, 1], 8080)))]);
    assert_eq!(
        config.tenants,
        [TenantConfig {
            name: "shop".to_owned(),
            matching: Matching { hostnames: vec![HostPattern::Any], sni: Vec::new(), listeners: Vec::new() },
            modules: vec![ModuleConfig { path: PathBuf::from("router.wasm"), config: json!({}), warm: Warm::Auto }],
            instance_calls: TenantConfig::INSTANCE_CALLS,
            rewind: TenantConfig::REWIND,
            limits: TenantLimits::default(),
            quota: Quota::default(),
            breaker: BreakerConfig::default(),
            upstream: UpstreamDefaults::default(),
            failure: Fallback::default(),
            groups: Vec::new(),
            grants: Grants::default(),
            release: ReleaseConfig::default(),
        }]
    );
}

#[test]
fn relative_paths_start_from_the_folder_of_the_file() {
    #[track_caller]
    fn check(file: &str, expected: &str) {
        assert_eq!(good(LEAST, file).tenants[0].modules[0].path, Path::new(expected));
    }
    check("pointsman.toml", "router.wasm");
    check("conf/pointsman.toml", "conf/router.wasm");
    check("/etc/pointsman.toml", "/etc/router.wasm");
}

#[test]
fn windows_line_ends_and_byte_order_mark_do_no_harm() {
    let text = format!("\u{feff}{LEAST}").replace('\n', "\r\n");
    assert_eq!(good(&text, "pointsman.toml"), good(LEAST, "pointsman.toml"));
    let broken = text.replace("8080", "80800");
    assert!(complaints(&broken).starts_with("pointsman.toml:4: listener[0].address: "));
}

#[test]
fn file_is_read_from_disk() {
    let file = std::env::temp_dir().join(format!("pointsman-config-{}.toml", std::process::id()));
    let load_bytes = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let loaded = load(&file);
        std::fs::remove_file(&file).unwrap();
        loaded.map_err(|errors| errors.to_string())
    };
    assert_eq!(load_bytes(LEAST.as_bytes()), Ok(good(LEAST, file.to_str().unwrap())));
    let expected = format!("{}:2: is not UTF-8 at column 4: save the file as UTF-8", file.display());
    assert_eq!(load_bytes(b"[log]\n# \xC3\xBC\xFC\n"), Err(expected));
}

#[test]
fn missing_file_is_reported_by_name() {
    let message = load(Path::new("/no/such/pointsman.toml")).map(drop).map_err(|errors| errors.to_string());
    assert_eq!(
        message,
        Err("/no/such/pointsman.toml: cannot be read: No such file or directory (os error 2)".to_owned())
    );
}

#[test]
fn complaints_about_a_file_of_another_format_are_bounded() {
    let lines = complaints(&"some: [yaml\n".repeat(100)).lines().count();
    assert_eq!(lines, 33);
}

#[test]
fn changes_that_an_upgrade_cannot_hand_over_are_reported() {
    let listeners = |count: usize, name: &str| -> String {
        let names = (0..count).map(|index| format!("{name}{index:02}"));
        names.map(|name| format!("[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:0\"\n")).collect()
    };
    let tenant = "[[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n[[tenant.module]]\npath = \"a.wasm\"\n";
    let with =
        |socket: &str, rest: &str| complaints(&format!("[proxy]\nupgrade_socket = \"{socket}\"\n{rest}{tenant}"));
    let (long, few, most) = ("s".repeat(108), listeners(1, "l"), listeners(32, "l"));
    let admin = "[admin]\naddress = \"127.0.0.1:0\"\n";
    assert_eq!(with(&"s".repeat(107), &few), "");
    assert_eq!(with("s", &most), "");
    assert_eq!(complaints(&format!("{admin}{most}{tenant}")), "");
    let told = "pointsman.toml:2: proxy.upgrade_socket: ";
    let too_long = "must be at most 107 bytes with its folder, as for every Unix socket, found 108";
    assert_eq!(with(&long, &few), format!("{told}{too_long}"));
    let too_many = "cannot hand over more than 32 listeners, `admin.address` included, found 33: remove it, or configure fewer listeners";
    assert_eq!(with("s", &format!("{admin}{most}")), format!("{told}{too_many}"));
    let names = "cannot hand over listeners whose names have more than 2048 bytes together, found 2079: shorten them";
    assert_eq!(with("s", &listeners(32, &"n".repeat(62))), format!("{told}{names}"));
}
