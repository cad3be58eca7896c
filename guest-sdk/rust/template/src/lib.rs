//! Sends requests with the header `x-canary` to the canary, and all others to the stable side.

use pointsman_guest::{Error, Peer, Request, Route, config, router};

router!(select_peer);

fn select_peer(request: &Request) -> Result<Route, Error> {
    let side = match request.header("x-canary") {
        Some(_) => "canary",
        None => "stable",
    };
    let address = config::text(&format!("/{side}"))?;
    Ok(Route::to(Peer::http(address)).note(side))
}

#[cfg(test)]
mod tests {
    use pointsman_guest::testing;

    use super::*;

    fn side(request: &Request) -> String {
        testing::config(r#"{"stable": "127.0.0.1:9101", "canary": "127.0.0.1:9102"}"#);
        select_peer(request).unwrap().note.unwrap()
    }

    #[test]
    fn the_header_chooses_the_canary() {
        assert_eq!(side(&testing::get("/").header("x-canary", "1")), "canary");
        assert_eq!(side(&testing::get("/")), "stable");
    }

    #[test]
    fn a_missing_address_is_named() {
        testing::config("{}");
        let error = select_peer(&testing::get("/")).unwrap_err();
        assert_eq!(error.to_string(), "config: `/stable` is missing");
    }
}
