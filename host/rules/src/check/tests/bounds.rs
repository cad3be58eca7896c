//! Tests numbers and lengths at both ends of their ranges: the last value that passes, the first that does not.

use super::*;

const DAY: u32 = 86_400_000;

type Change = fn(&mut contract::Route, u32);

/// Checks the range of a numeric field of an HTTP/2 peer.
#[track_caller]
fn range(field: &str, least: u32, most: u32, change: Change) {
    let with = |value| {
        move |route: &mut contract::Route| {
            route.peer.http.alpn = Alpn::H2;
            change(route, value);
        }
    };
    passes(with(least));
    passes(with(most));
    for beyond in [least.checked_sub(1), most.checked_add(1), Some(u32::MAX)].into_iter().flatten() {
        refused(with(beyond), &format!("`{field}`: {beyond} is not from {least} to {most}"));
    }
}

#[test]
fn numbers_pass_within_their_range() {
    range("peer.timeouts.connect-ms", 1, DAY, |route, value| route.peer.timeouts.connect_ms = Some(value));
    range("peer.timeouts.total-connect-ms", 1, DAY, |route, value| route.peer.timeouts.total_connect_ms = Some(value));
    range("peer.timeouts.read-ms", 1, DAY, |route, value| route.peer.timeouts.read_ms = Some(value));
    range("peer.timeouts.write-ms", 1, DAY, |route, value| route.peer.timeouts.write_ms = Some(value));
    range("peer.timeouts.idle-ms", 0, DAY, |route, value| route.peer.timeouts.idle_ms = Some(value));
    range("peer.http.max-h2-streams", 1, 65_535, |route, value| route.peer.http.max_h2_streams = Some(value));
    range("peer.http.h2-ping-interval-ms", 1000, DAY, |route, value| {
        route.peer.http.h2_ping_interval_ms = Some(value);
    });
    range("peer.http.h2-stream-window", 65_535, 2_147_483_647, |route, value| {
        route.peer.http.h2_stream_window = Some(value);
    });
    range("peer.http.h2-connection-window", 65_535, 2_147_483_647, |route, value| {
        route.peer.http.h2_connection_window = Some(value);
    });
    range("peer.socket.tcp-recv-buf", 1024, 268_435_456, |route, value| route.peer.socket.tcp_recv_buf = Some(value));
    range("retry.attempts", 1, 3, |route, value| route.retry.attempts = Some(value));
}

#[test]
fn keepalive_passes_within_the_kernels_ranges() {
    const PROBES: contract::TcpKeepalive =
        contract::TcpKeepalive { idle_s: 60, interval_s: 5, count: 3, user_timeout_ms: 0 };
    let field = |name: &str| format!("peer.tcp-keepalive.{name}");
    range(&field("idle-s"), 1, 32_767, |route, idle_s| {
        route.peer.tcp_keepalive = Some(contract::TcpKeepalive { idle_s, ..PROBES });
    });
    range(&field("interval-s"), 1, 32_767, |route, interval_s| {
        route.peer.tcp_keepalive = Some(contract::TcpKeepalive { interval_s, ..PROBES });
    });
    range(&field("count"), 1, 127, |route, count| {
        route.peer.tcp_keepalive = Some(contract::TcpKeepalive { count, ..PROBES });
    });
    range(&field("user-timeout-ms"), 0, DAY, |route, user_timeout_ms| {
        route.peer.tcp_keepalive = Some(contract::TcpKeepalive { user_timeout_ms, ..PROBES });
    });
}

#[test]
fn code_points_pass_from_0_to_63() {
    for dscp in [0, 63] {
        assert_eq!(passes(|route| route.peer.socket.dscp = Some(dscp)).peer.connection.socket.dscp, Some(dscp));
    }
    refused(|route| route.peer.socket.dscp = Some(u8::MAX), "`peer.socket.dscp`: 255 is not from 0 to 63");
}

#[test]
fn names_have_at_most_253_bytes() {
    let with = |tls| |route: &mut contract::Route| route.peer.tls = Some(tls);
    let name = |bytes: usize| Some(format!("{}.{}", vec!["a".repeat(63); 3].join("."), "b".repeat(bytes - 192)));
    passes(with(contract::Tls { sni: name(253), alternative_cn: name(253), ..tls() }));
    refused(with(contract::Tls { sni: name(254), ..tls() }), "`peer.tls.sni`: `");
    refused(with(contract::Tls { alternative_cn: name(254), ..tls() }), "`peer.tls.alternative-cn`: `");
}

#[test]
fn texts_may_be_as_long_as_is_allowed() {
    let text = Some("é".repeat(128));
    assert_eq!(passes(|route| route.note = text.clone()).note, text);
    assert_eq!(passes(|route| route.peer.isolation = text.clone()).peer.connection.isolation, text);
    passes(|route| route.rewrite.path_and_query = Some(format!("/{}", "a".repeat(65_533))));
}

#[test]
fn statuses_pass_from_500_to_599() {
    assert_eq!(passes(|route| route.retry.on_status = (500..600).collect()).retry.on_status.len(), 100);
    for status in [0, 499, 600, u16::MAX] {
        let why = format!("`retry.on-status[1]`: {status} is not from 500 to 599");
        refused(|route| route.retry.on_status = vec![500, status], &why);
    }
}

#[test]
fn responses_pass_up_to_their_bounds() {
    response(200, Vec::new(), &[0; 65_536], Ok(()));
    for status in [204, 205, 304] {
        response(status, Vec::new(), b"", Ok(()));
        response(status, Vec::new(), b"x", Err("`respond.body`: a response with status 204, 205 or 304 has no body"));
    }
    for status in [0, 199, 600, u16::MAX] {
        response(status, Vec::new(), b"", Err(&format!("`respond.status`: {status} is not from 200 to 599")));
    }
}

#[test]
fn duplicate_retry_statuses_are_merged() {
    let spec = passes(|route| route.retry.on_status = vec![503, 502, 503]);
    assert_eq!(spec.retry.on_status, [502, 503]);
}
