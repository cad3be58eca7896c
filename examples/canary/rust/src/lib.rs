//! A share of the visitors gets the canary, and each visitor always the same side. A header chooses outright.

use pointsman_guest::{Error, Peer, Request, Route, config, hash, router};

router!(select_peer);

fn select_peer(request: &Request) -> Result<Route, Error> {
    let side = if wants_canary(request)? { "canary" } else { "stable" };
    let address = config::text(&format!("/{side}"))?;
    Ok(Route::to(Peer::http(address)).note(side))
}

fn wants_canary(request: &Request) -> Result<bool, Error> {
    match request.header("x-canary").as_deref() {
        Some("always") => Ok(true),
        Some("never") => Ok(false),
        _ => Ok(hash::percent(visitor(request)?) < config::number("/percent")?),
    }
}

/// The session's cookie, or the client's address as long as there is none.
fn visitor(request: &Request) -> Result<String, Error> {
    let cookie = config::text_or("/cookie", "session")?;
    Ok(request.cookie(&cookie).unwrap_or_else(|| request.client_ip().to_string()))
}

#[cfg(test)]
mod tests {
    use pointsman_guest::testing::{self, TestRequest};

    use super::*;

    fn percent(percent: f64) {
        testing::config(&format!(
            r#"{{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102", "percent": {percent}}}"#
        ));
    }

    fn side(request: &TestRequest) -> String {
        let route = select_peer(request).unwrap();
        let address = if route.note.as_deref() == Some("canary") { "127.0.0.1:9102" } else { "127.0.0.1:9101" };
        assert_eq!(route.peer, Peer::http(address));
        route.note.unwrap()
    }

    fn with_session(n: u32) -> TestRequest {
        testing::get("/").header("cookie", format!("theme=dark; session={n}"))
    }

    #[test]
    fn the_share_is_as_configured() {
        percent(10.0);
        let canaries = (0..10_000).filter(|n| side(&with_session(*n)) == "canary").count();
        assert!((900..1100).contains(&canaries), "{canaries} of 10,000");
    }

    #[test]
    fn zero_is_nobody_and_a_hundred_everybody() {
        percent(0.0);
        assert!((0..1000).all(|n| side(&with_session(n)) == "stable"));
        percent(100.0);
        assert!((0..1000).all(|n| side(&with_session(n)) == "canary"));
    }

    #[test]
    fn a_larger_share_keeps_those_who_were_in() {
        percent(10.0);
        let before: Vec<u32> = (0..1000).filter(|n| side(&with_session(*n)) == "canary").collect();
        percent(20.0);
        assert!(before.into_iter().all(|n| side(&with_session(n)) == "canary"));
    }

    #[test]
    fn the_header_chooses_outright() {
        percent(0.0);
        assert_eq!(side(&testing::get("/").header("x-canary", "always")), "canary");
        percent(100.0);
        assert_eq!(side(&testing::get("/").header("x-canary", "never")), "stable");
    }

    #[test]
    fn without_a_cookie_the_address_decides() {
        percent(50.0);
        let sides: Vec<String> = (0..=255).map(|n| side(&testing::get("/").client_ip([192, 0, 2, n]))).collect();
        assert!(sides.iter().any(|side| side == "canary") && sides.iter().any(|side| side == "stable"));
    }

    #[test]
    fn a_missing_percentage_is_named() {
        testing::config(r#"{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"}"#);
        assert_eq!(select_peer(&testing::get("/")).unwrap_err().to_string(), "config: `/percent` is missing");
    }
}
