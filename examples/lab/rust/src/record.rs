//! How the WIT records read as JSON: names as in the WIT, every field optional, unknown ones refused.
//!
//! Serde checks these definitions against the SDK's types, so none can lack a field.

use pointsman_guest as wit;
use pointsman_guest::{Decision, Peer};
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

/// `"pass"`, `{"route": …}` or `{"respond": …}`; any other object is the peer of a plain route.
pub fn decision(order: Value) -> serde_json::Result<Decision> {
    if order.is_string() || order.get("route").is_some() || order.get("respond").is_some() {
        DecisionDef::deserialize(order)
    } else {
        PeerDef::deserialize(order).map(Decision::from)
    }
}

#[derive(serde::Deserialize)]
#[serde(remote = "Decision", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "its shape is that of the SDK's type")]
enum DecisionDef {
    #[serde(rename = "route")]
    Connect(#[serde(with = "RouteDef")] wit::Route),
    Respond(#[serde(with = "ResponseDef")] wit::Response),
    Pass,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::Route", rename_all = "kebab-case", deny_unknown_fields)]
struct RouteDef {
    #[serde(default = "unnamed_peer", with = "PeerDef")]
    peer: Peer,
    #[serde(default, with = "RewriteDef")]
    rewrite: wit::Rewrite,
    #[serde(default, with = "RetryPolicyDef")]
    retry: wit::RetryPolicy,
    note: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::Response", rename_all = "kebab-case", deny_unknown_fields)]
struct ResponseDef {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default, deserialize_with = "headers")]
    headers: Vec<wit::Header>,
    #[serde(default, deserialize_with = "bytes")]
    body: Vec<u8>,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::Header", rename_all = "kebab-case", deny_unknown_fields)]
struct HeaderDef {
    name: String,
    #[serde(default, deserialize_with = "bytes")]
    value: Vec<u8>,
}

#[derive(serde::Deserialize)]
#[serde(remote = "Peer", rename_all = "kebab-case", deny_unknown_fields)]
struct PeerDef {
    #[serde(default)]
    address: String,
    #[serde(default, deserialize_with = "tls")]
    tls: Option<wit::Tls>,
    #[serde(default, deserialize_with = "connect_proxy")]
    connect_proxy: Option<wit::ConnectProxy>,
    #[serde(default, deserialize_with = "bind_to")]
    bind_to: Option<wit::BindTo>,
    #[serde(default, with = "TimeoutsDef")]
    timeouts: wit::Timeouts,
    #[serde(default, deserialize_with = "tcp_keepalive")]
    tcp_keepalive: Option<wit::TcpKeepalive>,
    #[serde(default, with = "HttpOptionsDef")]
    http: wit::HttpOptions,
    #[serde(default, with = "SocketOptionsDef")]
    socket: wit::SocketOptions,
    isolation: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::Tls", rename_all = "kebab-case", deny_unknown_fields)]
struct TlsDef {
    sni: Option<String>,
    #[serde(default, with = "VerifyDef")]
    verify: wit::Verify,
    alternative_cn: Option<String>,
    ca: Option<String>,
    client_cert: Option<String>,
    curves: Option<String>,
    second_key_share: Option<bool>,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::Verify", rename_all = "kebab-case")]
enum VerifyDef {
    Full,
    ChainOnly,
    None,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::ConnectProxy", rename_all = "kebab-case", deny_unknown_fields)]
struct ConnectProxyDef {
    #[serde(default)]
    address: String,
    #[serde(default, deserialize_with = "headers")]
    headers: Vec<wit::Header>,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::BindTo", rename_all = "kebab-case", deny_unknown_fields)]
struct BindToDef {
    address: Option<String>,
    port_range: Option<(u16, u16)>,
    #[serde(default)]
    fallback: bool,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::Timeouts", rename_all = "kebab-case", deny_unknown_fields)]
struct TimeoutsDef {
    connect_ms: Option<u32>,
    total_connect_ms: Option<u32>,
    read_ms: Option<u32>,
    write_ms: Option<u32>,
    idle_ms: Option<u32>,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::TcpKeepalive", rename_all = "kebab-case", deny_unknown_fields)]
struct TcpKeepaliveDef {
    #[serde(default)]
    idle_s: u32,
    #[serde(default)]
    interval_s: u32,
    #[serde(default)]
    count: u32,
    #[serde(default)]
    user_timeout_ms: u32,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::HttpOptions", rename_all = "kebab-case", deny_unknown_fields)]
struct HttpOptionsDef {
    #[serde(default, with = "AlpnDef")]
    alpn: wit::Alpn,
    max_h2_streams: Option<u32>,
    h2_ping_interval_ms: Option<u32>,
    h2_stream_window: Option<u32>,
    h2_connection_window: Option<u32>,
    #[serde(default, with = "UpgradeDef")]
    upgrade: wit::Upgrade,
    #[serde(default = "wit::Quirks::empty", deserialize_with = "quirks")]
    quirks: wit::Quirks,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::Alpn", rename_all = "kebab-case")]
enum AlpnDef {
    H1,
    H2,
    H2h1,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::Upgrade", rename_all = "kebab-case")]
enum UpgradeDef {
    Websocket,
    Any,
    Deny,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::SocketOptions", rename_all = "kebab-case", deny_unknown_fields)]
struct SocketOptionsDef {
    dscp: Option<u8>,
    tcp_recv_buf: Option<u32>,
    #[serde(default)]
    tcp_fast_open: bool,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::Rewrite", rename_all = "kebab-case", deny_unknown_fields)]
struct RewriteDef {
    authority: Option<String>,
    path_and_query: Option<String>,
    #[serde(default)]
    remove_headers: Vec<String>,
    #[serde(default, deserialize_with = "headers")]
    set_headers: Vec<wit::Header>,
    #[serde(default, deserialize_with = "headers")]
    add_headers: Vec<wit::Header>,
}

#[derive(serde::Deserialize)]
#[serde(remote = "wit::RetryPolicy", rename_all = "kebab-case", deny_unknown_fields)]
struct RetryPolicyDef {
    attempts: Option<u32>,
    #[serde(default)]
    on_status: Vec<u16>,
}

fn unnamed_peer() -> Peer {
    Peer::http("")
}

fn ok() -> u16 {
    200
}

/// Serde knows no remote definition within an `Option`; this makes it one.
macro_rules! optional {
    ($($name:ident: $record:ty = $definition:literal),* $(,)?) => {$(
        fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<$record>, D::Error> {
            #[derive(serde::Deserialize)]
            struct Record(#[serde(with = $definition)] $record);
            Ok(Option::<Record>::deserialize(deserializer)?.map(|Record(record)| record))
        }
    )*};
}

optional! {
    tls: wit::Tls = "TlsDef",
    connect_proxy: wit::ConnectProxy = "ConnectProxyDef",
    bind_to: wit::BindTo = "BindToDef",
    tcp_keepalive: wit::TcpKeepalive = "TcpKeepaliveDef",
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<wit::Header>, D::Error> {
    #[derive(serde::Deserialize)]
    struct Header(#[serde(with = "HeaderDef")] wit::Header);
    Ok(Vec::<Header>::deserialize(deserializer)?.into_iter().map(|Header(header)| header).collect())
}

/// The names of the flags that are set.
fn quirks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<wit::Quirks, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Quirk {
        KeepHopByHop,
        KeepConnectionNominated,
        AcceptMalformedConnection,
        AcceptInvalidContentLength,
    }
    let quirks = Vec::deserialize(deserializer)?.into_iter().map(|quirk| match quirk {
        Quirk::KeepHopByHop => wit::Quirks::KEEP_HOP_BY_HOP,
        Quirk::KeepConnectionNominated => wit::Quirks::KEEP_CONNECTION_NOMINATED,
        Quirk::AcceptMalformedConnection => wit::Quirks::ACCEPT_MALFORMED_CONNECTION,
        Quirk::AcceptInvalidContentLength => wit::Quirks::ACCEPT_INVALID_CONTENT_LENGTH,
    });
    Ok(quirks.fold(wit::Quirks::empty(), |all, quirk| all | quirk))
}

/// A text, or a list of numbers for what is not UTF-8.
fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text.into_bytes()),
        list => serde_json::from_value(list).map_err(Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_of_a_peer_has_its_wit_name() {
        let order = json!({
            "address": "127.0.0.1:9101",
            "tls": {
                "sni": "shop.example", "verify": "chain-only", "alternative-cn": "old.example", "ca": "internal",
                "client-cert": "proxy", "curves": "X25519", "second-key-share": true,
            },
            "connect-proxy": {
                "address": "127.0.0.1:3128", "headers": [{"name": "a", "value": "b"}, {"name": "c", "value": [255]}],
            },
            "bind-to": {"address": "127.0.0.2", "port-range": [40000, 40100], "fallback": true},
            "timeouts": {"connect-ms": 1, "total-connect-ms": 2, "read-ms": 3, "write-ms": 4, "idle-ms": 5},
            "tcp-keepalive": {"idle-s": 1, "interval-s": 2, "count": 3, "user-timeout-ms": 4},
            "http": {
                "alpn": "h2h1", "max-h2-streams": 1, "h2-ping-interval-ms": 1000, "h2-stream-window": 65535,
                "h2-connection-window": 65536, "upgrade": "deny",
                "quirks": ["keep-hop-by-hop", "keep-connection-nominated", "accept-malformed-connection",
                           "accept-invalid-content-length"],
            },
            "socket": {"dscp": 46, "tcp-recv-buf": 4096, "tcp-fast-open": true},
            "isolation": "batch",
        });
        let expected = Peer {
            address: "127.0.0.1:9101".to_owned(),
            tls: Some(wit::Tls {
                sni: Some("shop.example".to_owned()),
                verify: wit::Verify::ChainOnly,
                alternative_cn: Some("old.example".to_owned()),
                ca: Some("internal".to_owned()),
                client_cert: Some("proxy".to_owned()),
                curves: Some("X25519".to_owned()),
                second_key_share: Some(true),
            }),
            connect_proxy: Some(wit::ConnectProxy::new("127.0.0.1:3128").header("a", "b").header("c", [255])),
            bind_to: Some(wit::BindTo::from("127.0.0.2").port_range(40_000..=40_100).fallback()),
            timeouts: wit::Timeouts {
                connect_ms: Some(1),
                total_connect_ms: Some(2),
                read_ms: Some(3),
                write_ms: Some(4),
                idle_ms: Some(5),
            },
            tcp_keepalive: Some(wit::TcpKeepalive { idle_s: 1, interval_s: 2, count: 3, user_timeout_ms: 4 }),
            http: wit::HttpOptions {
                alpn: wit::Alpn::H2h1,
                max_h2_streams: Some(1),
                h2_ping_interval_ms: Some(1000),
                h2_stream_window: Some(65_535),
                h2_connection_window: Some(65_536),
                upgrade: wit::Upgrade::Deny,
                quirks: wit::Quirks::KEEP_HOP_BY_HOP
                    | wit::Quirks::KEEP_CONNECTION_NOMINATED
                    | wit::Quirks::ACCEPT_MALFORMED_CONNECTION
                    | wit::Quirks::ACCEPT_INVALID_CONTENT_LENGTH,
            },
            socket: wit::SocketOptions { dscp: Some(46), tcp_recv_buf: Some(4096), tcp_fast_open: true },
            isolation: Some("batch".to_owned()),
        };
        assert_eq!(decision(order).unwrap(), expected.into());
    }

    #[test]
    fn every_field_of_a_route_has_its_wit_name() {
        let order = json!({"route": {
            "peer": {"address": "127.0.0.1:9101"},
            "rewrite": {
                "authority": "shop.internal", "path-and-query": "/v2?x=1", "remove-headers": ["x-debug"],
                "set-headers": [{"name": "x-shop", "value": "north"}], "add-headers": [{"name": "via"}],
            },
            "retry": {"attempts": 2, "on-status": [502, 503]},
            "note": "lab",
        }});
        let expected = wit::Route::to(Peer::http("127.0.0.1:9101"))
            .authority("shop.internal")
            .path_and_query("/v2?x=1")
            .remove_header("x-debug")
            .set_header("x-shop", "north")
            .add_header("via", "")
            .attempts(2)
            .on_status([502, 503])
            .note("lab");
        assert_eq!(decision(order).unwrap(), expected.into());
    }

    #[test]
    fn every_field_of_a_response_has_its_wit_name() {
        let order =
            json!({"respond": {"status": 404, "headers": [{"name": "x-shop", "value": "north"}], "body": [110, 111]}});
        let expected = wit::Response::new(404).header("x-shop", "north").body("no");
        assert_eq!(decision(order).unwrap(), expected.into());
    }

    #[test]
    fn a_null_is_as_good_as_nothing() {
        let order = json!({"address": "127.0.0.1:9101", "tls": null, "bind-to": null});
        assert_eq!(decision(order).unwrap(), Peer::http("127.0.0.1:9101").into());
    }
}
