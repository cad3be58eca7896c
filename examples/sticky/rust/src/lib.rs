//! A visitor keeps his upstream, also when upstreams come and go: a consistent hash of his cookie.

use pointsman_guest::{Error, Peer, Request, config, hash, router};

router!(select_peer);

fn select_peer(request: &Request) -> Result<Peer, Error> {
    let upstreams = config::texts("/upstreams")?;
    let cookie = config::text_or("/cookie", "session")?;
    let visitor = request.cookie(&cookie).unwrap_or_else(|| request.client_ip().to_string());

    // Each visitor has an order of his own, so a failed upstream's visitors spread over all the others.
    match hash::rank(visitor, &upstreams).get(request.attempts().len()) {
        Some(upstream) => Ok(Peer::http(*upstream)),
        None => Err(Error::new("no upstream is left")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pointsman_guest::testing::{self, TestRequest};

    use super::*;

    const THREE: &str = r#"{"upstreams": ["127.0.0.1:9101", "127.0.0.1:9102", "127.0.0.1:9103"]}"#;
    const FOUR: &str = r#"{"upstreams": ["127.0.0.1:9104", "127.0.0.1:9101", "127.0.0.1:9102", "127.0.0.1:9103"]}"#;

    fn upstream(request: &TestRequest) -> String {
        select_peer(request).unwrap().address
    }

    fn with_session(n: u32) -> TestRequest {
        testing::get("/").header("cookie", format!("session={n}"))
    }

    #[test]
    fn a_visitor_keeps_his_upstream_wherever_he_is() {
        testing::config(THREE);
        let at_home = with_session(1).client_ip([192, 0, 2, 1]);
        let on_the_road = with_session(1).client_ip([203, 0, 113, 7]);
        assert_eq!(upstream(&at_home), upstream(&on_the_road));
    }

    #[test]
    fn visitors_spread_over_all_upstreams() {
        testing::config(THREE);
        assert_eq!((0..100).map(|n| upstream(&with_session(n))).collect::<BTreeSet<_>>().len(), 3);
        let addresses = (0..100).map(|n| testing::get("/").client_ip([192, 0, 2, n]));
        assert_eq!(addresses.map(|request| upstream(&request)).collect::<BTreeSet<_>>().len(), 3);
    }

    #[test]
    fn a_new_upstream_takes_visitors_and_moves_no_others() {
        testing::config(THREE);
        let before: Vec<String> = (0..1000).map(|n| upstream(&with_session(n))).collect();
        testing::config(FOUR);
        let mut moved = 0;
        for (n, before) in (0..1000).zip(before) {
            let after = upstream(&with_session(n));
            if after != before {
                assert_eq!(after, "127.0.0.1:9104");
                moved += 1;
            }
        }
        assert!((200..300).contains(&moved), "{moved} of 1,000");
    }

    #[test]
    fn a_failed_upstream_is_followed_by_another() {
        testing::config(THREE);
        let mut request = with_session(1);
        let mut seen = BTreeSet::new();
        for _ in 0..3 {
            let upstream = upstream(&request);
            request = request.attempt(testing::refused(&upstream));
            seen.insert(upstream);
        }
        assert_eq!(seen.len(), 3);
        assert_eq!(select_peer(&request).unwrap_err().to_string(), "no upstream is left");
    }
}
