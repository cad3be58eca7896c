//! Upstreams in order of preference: the next one when one fails, and a polite answer when none is left.

use std::time::Duration;

use pointsman_guest::{Decision, Error, Peer, Request, Response, Route, config, log, router};

router!(select_peer);

fn select_peer(request: &Request) -> Result<Decision, Error> {
    let upstreams = config::texts("/upstreams")?;
    let failed = request.attempts();
    if let Some(last) = failed.last() {
        log::warn(format_args!("{} failed: {}", last.address, last.failure));
    }
    match upstreams.get(failed.len()) {
        Some(upstream) => Ok(to(upstream).into()),
        None => Ok(sorry().into()),
    }
}

fn to(upstream: &str) -> Route {
    // The next upstream is at hand, so this one need not be waited for.
    let peer = Peer::http(upstream).connect_timeout(Duration::from_millis(500));
    Route::to(peer).on_status([502, 503])
}

fn sorry() -> Response {
    Response::new(503).header("retry-after", "30").text("We are being repaired. Please try again in half a minute.\n")
}

#[cfg(test)]
mod tests {
    use pointsman_guest::log::Level;
    use pointsman_guest::testing::{self, TestRequest};

    use super::*;

    fn decide(request: &TestRequest) -> Decision {
        testing::config(r#"{"upstreams": ["127.0.0.1:9101", "127.0.0.1:9102"]}"#);
        select_peer(request).unwrap()
    }

    #[test]
    fn the_first_upstream_is_preferred() {
        assert_eq!(decide(&testing::get("/")), to("127.0.0.1:9101").into());
    }

    #[test]
    fn the_second_follows_when_the_first_fails() {
        let _ = testing::log_lines();
        let request = testing::get("/").attempt(testing::refused("127.0.0.1:9101"));
        assert_eq!(decide(&request), to("127.0.0.1:9102").into());
        assert_eq!(testing::log_lines(), [(Level::Warn, "127.0.0.1:9101 failed: refused".to_owned())]);
    }

    #[test]
    fn when_all_have_failed_the_module_answers() {
        let request = testing::get("/")
            .attempt(testing::timed_out("127.0.0.1:9101"))
            .attempt(testing::status("127.0.0.1:9102", 503));
        assert_eq!(decide(&request), sorry().into());
    }
}
