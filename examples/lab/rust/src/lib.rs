//! Does what the request says: the peer to connect to comes, as JSON, in the header `pointsman-lab`.
//!
//! For trying out every field of the peer record with nothing but curl. **Never outside a lab**: whoever can send a
//! request chooses where the proxy connects.

mod attempts;
mod record;

use pointsman_guest::{Decision, Error, Request, Response, config, router};
use serde_json::Value;

router!(select_peer);

fn select_peer(request: &Request) -> Result<Decision, Error> {
    let header = request.header("pointsman-lab").unwrap_or_else(|| "{}".to_owned());
    let mut decision = serde_json::from_str(&header)
        .and_then(|order| decision(request, one_for(request, order)))
        .map_err(|error| Error::new(format_args!("pointsman-lab: {error}")))?;

    if let Decision::Connect(route) = &mut decision
        && route.peer.address.is_empty()
    {
        route.peer.address = config::text("/address")?;
    }
    Ok(decision)
}

fn decision(request: &Request, order: Value) -> serde_json::Result<Decision> {
    if order == "attempts" {
        return Ok(Response::new(200).body(attempts::to_json(&request.attempts())?).into());
    }
    record::decision(order)
}

/// A list has an order for each attempt; its last one stands for all that follow.
fn one_for(request: &Request, order: Value) -> Value {
    match order {
        Value::Array(orders) => {
            let attempts = request.attempts().len();
            orders.into_iter().take(attempts + 1).next_back().unwrap_or_default()
        }
        order => order,
    }
}

#[cfg(test)]
mod tests {
    use pointsman_guest::{Peer, Response, Route, testing};

    use super::*;

    fn decide(order: &str) -> Result<Decision, Error> {
        testing::config(r#"{"address": "127.0.0.1:9101"}"#);
        select_peer(&testing::get("/").header("pointsman-lab", order))
    }

    #[track_caller]
    fn refuses(order: &str, message: &str) {
        let error = decide(order).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }

    #[test]
    fn without_a_header_the_configured_address_is_used() {
        testing::config(r#"{"address": "127.0.0.1:9101"}"#);
        assert_eq!(select_peer(&testing::get("/")).unwrap(), Peer::http("127.0.0.1:9101").into());
    }

    #[test]
    fn a_record_is_a_peer() {
        assert_eq!(decide(r#"{"address": "127.0.0.1:9102"}"#).unwrap(), Peer::http("127.0.0.1:9102").into());
    }

    #[test]
    fn a_whole_decision_may_be_ordered() {
        let route = Route::to(Peer::http("127.0.0.1:9101")).note("lab");
        assert_eq!(decide(r#"{"route": {"note": "lab"}}"#).unwrap(), route.into());
        let response = Response::new(418).body("short and stout");
        assert_eq!(decide(r#"{"respond": {"status": 418, "body": "short and stout"}}"#).unwrap(), response.into());
        assert_eq!(decide(r#""pass""#).unwrap(), Decision::Pass);
    }

    #[test]
    fn a_list_has_an_order_for_each_attempt() {
        let order = r#"[{"address": "127.0.0.1:9102"}, "pass"]"#;
        let request = testing::get("/").header("pointsman-lab", order);
        assert_eq!(select_peer(&request).unwrap(), Peer::http("127.0.0.1:9102").into());
        let request = request.attempt(testing::refused("127.0.0.1:9102"));
        assert_eq!(select_peer(&request).unwrap(), Decision::Pass);
        let request = request.attempt(testing::refused("127.0.0.1:9102"));
        assert_eq!(select_peer(&request).unwrap(), Decision::Pass);
    }

    #[test]
    fn failed_attempts_are_shown_with_the_names_of_the_wit() {
        let request = testing::get("/").header("pointsman-lab", r#""attempts""#);
        let shown = |request: &Request| match select_peer(request).unwrap() {
            Decision::Respond(response) => serde_json::from_slice::<Value>(&response.body).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown(&request), serde_json::json!([]));
        let attempt = shown(&request.attempt(testing::refused("127.0.0.1:9102")))[0].clone();
        assert_eq!((&attempt["stage"], &attempt["failure"]), (&"connect".into(), &"refused".into()));
        assert_eq!((&attempt["address"], &attempt["request-sent"]), (&"127.0.0.1:9102".into(), &false.into()));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        refuses(r#"{"adress": "x"}"#, "pointsman-lab: unknown field `adress`, expected one of `address`, `tls`,");
        refuses(r#"{"tls": {"verify": "some"}}"#, "pointsman-lab: unknown variant `some`, expected one of `full`,");
        refuses(r#"{"socket": {"dscp": 300}}"#, "pointsman-lab: invalid value: integer `300`, expected u8");
        refuses(r#""stop""#, "pointsman-lab: unknown variant `stop`, expected one of `route`, `respond`, `pass`");
        refuses("{", "pointsman-lab: EOF while parsing");
        refuses("[]", "pointsman-lab: invalid type: null");
    }
}
