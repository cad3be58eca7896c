//! Every request goes to one peer: the smallest router there is.

use pointsman_guest::{Error, Peer, Request, config, router};

router!(select_peer);

fn select_peer(_request: &Request) -> Result<Peer, Error> {
    Ok(Peer::http(config::text("/address")?))
}

#[cfg(test)]
mod tests {
    use pointsman_guest::testing;

    use super::*;

    #[test]
    fn every_request_goes_to_the_one_peer() {
        testing::config(r#"{"address": "127.0.0.1:9101"}"#);
        let peer = Peer::http("127.0.0.1:9101");
        assert_eq!(select_peer(&testing::get("/")).unwrap(), peer);
        assert_eq!(select_peer(&testing::request("POST", "https://shop.example/cart")).unwrap(), peer);
    }

    #[test]
    fn a_missing_address_is_named() {
        testing::config("{}");
        assert_eq!(select_peer(&testing::get("/")).unwrap_err().to_string(), "config: `/address` is missing");
    }
}
