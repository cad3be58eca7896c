//! HTTP/2 to the upstream, at the level of frames.

use http::Request;
use http_body_util::Full;
use pointsman_tests::h2_frames::{Behaviour, FrameUpstream, PING, SETTINGS, WINDOW_UPDATE};
use pointsman_tests::{Answer, Authority, Client, Proxy, Tenant, Upstream, eventually, example};

async fn proxy() -> Proxy {
    Proxy::with(Tenant::new("lab").module(example("lab"), "")).start().await
}

/// A peer that speaks HTTP/2, with these additional fields of `http`.
fn h2(upstream: &FrameUpstream, more: &str) -> String {
    format!(r#"{{"address": "{}", "http": {{"alpn": "h2"{more}}}}}"#, upstream.upstream.address())
}

/// The connections of two requests, the second of which is sent while the first is in progress.
async fn connections_of_two(more: &str) -> Vec<usize> {
    let upstream = FrameUpstream::start(Behaviour::AnswerAfter(2)).await;
    let proxy = proxy().await;
    let peer = h2(&upstream, more);
    let (mut first, mut second) = (proxy.client().await, proxy.client().await);
    let first = tokio::spawn({
        let peer = peer.clone();
        async move { first.order(&peer).await.status }
    });
    eventually("the first request", || (upstream.requests().len() == 1).then_some(())).await;
    assert_eq!(second.order(&peer).await.status, 200);
    assert_eq!(first.await.expect("a reply"), 200);
    upstream.requests()
}

#[tokio::test]
async fn concurrent_streams_of_a_connection_are_bounded() {
    assert_eq!(connections_of_two(r#", "max-h2-streams": 1"#).await, [1, 2]);
    assert_eq!(connections_of_two(r#", "max-h2-streams": 2"#).await, [1, 1]);
    assert_eq!(connections_of_two("").await, [1, 1]);
}

#[tokio::test]
async fn pings_are_sent_where_the_peer_configures_them() {
    let (pinged, quiet) =
        (FrameUpstream::start(Behaviour::AnswerAfter(1)).await, FrameUpstream::start(Behaviour::AnswerAfter(1)).await);
    let proxy = proxy().await;
    let mut client = proxy.client().await;
    assert_eq!(client.order(&h2(&quiet, "")).await.status, 200);
    assert_eq!(client.order(&h2(&pinged, r#", "h2-ping-interval-ms": 1000"#)).await.status, 200);
    eventually("two pings", || (pinged.frames(PING).len() >= 2).then_some(())).await;
    assert!(quiet.frames(PING).is_empty());
}

#[tokio::test]
async fn windows_are_announced() {
    let upstream = FrameUpstream::start(Behaviour::AnswerAfter(1)).await;
    let proxy = proxy().await;
    let windows = r#", "h2-stream-window": 100000, "h2-connection-window": 200000"#;
    assert_eq!(proxy.order(&h2(&upstream, windows)).await.status, 200);
    assert_eq!(initial_window(&upstream), 100_000);
    // Every connection begins with 65,535 bytes (RFC 9113, section 6.9.2).
    assert_eq!(connection_window(&upstream), 200_000);

    let upstream = FrameUpstream::start(Behaviour::AnswerAfter(1)).await;
    assert_eq!(proxy.order(&h2(&upstream, "")).await.status, 200);
    assert_eq!((initial_window(&upstream), connection_window(&upstream)), (8 << 20, 8 << 20));
}

/// SETTINGS_INITIAL_WINDOW_SIZE, which is setting 4.
fn initial_window(upstream: &FrameUpstream) -> u32 {
    let settings = &upstream.frames(SETTINGS)[0].payload;
    let found = settings.chunks(6).find(|setting| setting[..2] == [0, 4]).expect("the setting");
    u32::from_be_bytes(found[2..].try_into().expect("four bytes"))
}

fn connection_window(upstream: &FrameUpstream) -> u32 {
    let updates = upstream.frames(WINDOW_UPDATE).into_iter().filter(|frame| frame.stream == 0);
    65_535 + updates.map(|frame| u32::from_be_bytes(frame.payload.try_into().expect("four bytes"))).sum::<u32>()
}

#[tokio::test]
async fn unprocessed_request_is_retried_whatever_its_method() {
    for (behaviour, connections) in [(Behaviour::RefuseFirst, 1), (Behaviour::GoAwayFirst, 2)] {
        let upstream = FrameUpstream::start(behaviour).await;
        let proxy = proxy().await;
        let request = Request::post("http://lab.test/").header("pointsman-lab", h2(&upstream, ""));
        let request = request.body(Full::from("once")).expect("a request");
        let reply = proxy.client().await.send(request).await.expect("a response");
        assert_eq!((reply.status, reply.code()), (200, None), "{behaviour:?}");
        assert_eq!((upstream.requests().len(), upstream.upstream.connections()), (2, connections), "{behaviour:?}");
        assert_eq!(proxy.log(1).await[0]["attempts"], 2);
    }
}

#[tokio::test]
async fn long_bodies_pass_unharmed_in_both_directions() {
    let authority = Authority::new("upstream");
    let leaf = authority.leaf(&["api.test"]);
    let echo = Upstream::with(|request| Answer::ok(request.body.clone())).tls(&leaf, &["h2", "http/1.1"]).start().await;
    let proxy = Proxy::with(Tenant::new("lab").module(example("lab"), "")).trusting(&authority).start().await;
    let body: String = (0..600_000).map(|number: u32| format!("{number:07}")).collect();
    for mut client in [Client::http1(proxy.address()).await, Client::http2(proxy.address()).await] {
        for alpn in ["h1", "h2"] {
            let tls = r#""tls": {"sni": "api.test"}"#;
            let peer = format!(r#"{{"address": "{}", {tls}, "http": {{"alpn": "{alpn}"}}}}"#, echo.address());
            let request = Request::post("http://lab.test/").header("pointsman-lab", peer);
            let reply = client.send(request.body(Full::from(body.clone())).expect("a request")).await;
            let reply = reply.expect("a response");
            assert!(reply.status == 200 && reply.body == body, "{alpn}: {} bytes", reply.body.len());
        }
    }
}
