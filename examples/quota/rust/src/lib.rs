//! So many requests a minute for each client: whoever has more gets 429 until the minute is over.

use std::time::Duration;

use pointsman_guest::{Decision, Error, Peer, Request, Response, config, log, router, shared};

router!(select_peer);

const MINUTE: Duration = Duration::from_secs(60);

fn select_peer(request: &Request) -> Result<Decision, Error> {
    // The second attempt of a request is not another request.
    if request.attempts().is_empty() && is_over(request)? {
        return Ok(too_many().into());
    }
    Ok(Peer::http(config::text("/upstream")?).into())
}

/// Counts the request, and tells whether that was one too many.
fn is_over(request: &Request) -> Result<bool, Error> {
    let limit: i64 = config::number_or("/per_minute", 60)?;
    // A key is short, so a long name of a client shares a counter with others that begin alike.
    let client = request.header("x-api-key").unwrap_or_else(|| request.client_ip().to_string());
    let key: String = client.chars().take(48).collect();
    match shared::add_for(MINUTE, &format!("minute/{key}"), 1) {
        Ok(count) => Ok(count > limit),
        Err(error) => {
            // The store is full: let the request pass, since none of this is the client's fault.
            log::warn(format_args!("requests are not counted: {error}"));
            Ok(false)
        }
    }
}

fn too_many() -> Response {
    Response::new(429).header("retry-after", "60").text("Too many requests in a minute. Please come back later.\n")
}

#[cfg(test)]
mod tests {
    use pointsman_guest::testing::{self, TestRequest};

    use super::*;

    const MIDNIGHT: u64 = 1_767_225_600_000;

    fn passes(request: &TestRequest) -> bool {
        testing::config(r#"{"upstream": "203.0.113.7:80", "per_minute": 2}"#);
        match select_peer(request).unwrap() {
            Decision::Connect(route) => {
                assert_eq!(route.peer, Peer::http("203.0.113.7:80"));
                true
            }
            decision => {
                assert_eq!(decision, too_many().into());
                false
            }
        }
    }

    #[test]
    fn a_client_has_so_many_requests_a_minute() {
        testing::clock(MIDNIGHT);
        let request = testing::get("/").header("x-api-key", "alice");
        assert_eq!([passes(&request), passes(&request), passes(&request)], [true, true, false]);
        testing::clock(MIDNIGHT + 59_999);
        assert!(!passes(&request));
        testing::clock(MIDNIGHT + 60_000);
        assert!(passes(&request));
    }

    #[test]
    fn clients_do_not_count_for_each_other() {
        let (alice, here) = (testing::get("/").header("x-api-key", "alice"), testing::get("/"));
        for request in [&alice, &alice, &here, &here] {
            assert!(passes(request));
        }
        assert!(!passes(&alice) && !passes(&here));
        assert!(passes(&testing::get("/").client_ip([203, 0, 113, 9])));
    }

    #[test]
    fn another_attempt_is_not_another_request() {
        let request = testing::get("/");
        let again = testing::get("/").attempt(testing::refused("203.0.113.7:80"));
        for request in [&request, &again, &again, &request] {
            assert!(passes(request));
        }
        assert!(!passes(&request));
    }
}
