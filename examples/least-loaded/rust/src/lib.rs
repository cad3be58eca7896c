//! The better of two upstreams at random (power of two choices), by what the proxy itself sees of them.

use pointsman_guest::upstreams::{Health, Upstream};
use pointsman_guest::{Error, Peer, Request, Route, config, random, router, upstreams};

router!(select_peer);

fn select_peer(request: &Request) -> Result<Route, Error> {
    let members = upstreams::group(&config::text_or("/group", "backends")?)?;
    let failed: Vec<String> = request.attempts().into_iter().map(|attempt| attempt.address).collect();
    // Rather one that is ill than none at all.
    let untried: Vec<&Upstream> = members.iter().filter(|member| !failed.contains(&member.address)).collect();
    let well: Vec<&Upstream> = untried.iter().copied().filter(|member| is_well(member)).collect();
    let candidates = if well.is_empty() { untried } else { well };
    let chosen = match random::pick_two(&candidates) {
        Some((one, other)) => {
            if cost(one) <= cost(other) {
                one
            } else {
                other
            }
        }
        None => candidates.first().ok_or_else(|| Error::new("every upstream of the group has failed"))?,
    };
    Ok(Route::to(Peer::http(&chosen.address)).on_status([502, 503]))
}

/// Not known to be ill, neither by health checks nor by what requests met.
fn is_well(upstream: &Upstream) -> bool {
    const MANY: u32 = 3;
    upstream.health != Health::Unhealthy && upstream.failures < MANY
}

/// How long a request may have to wait there: its usual time, for each request before it. One that has not answered yet
/// is tried soon.
fn cost(upstream: &Upstream) -> u64 {
    u64::from(upstream.latency_us.unwrap_or(0)) * (u64::from(upstream.in_flight) + 1)
}

#[cfg(test)]
mod tests {
    use pointsman_guest::testing::{self, TestRequest};

    use super::*;

    fn member(port: u16, in_flight: u32, latency_us: u32) -> Upstream {
        Upstream { in_flight, latency_us: Some(latency_us), ..Upstream::unknown(format!("203.0.113.7:{port}")) }
    }

    /// The port that is chosen from these members, the first two of which are picked.
    fn chosen(members: &[Upstream], request: &TestRequest) -> Result<String, Error> {
        testing::config("{}");
        testing::group("backends", members.to_vec());
        testing::random([0, 0]);
        let route = select_peer(request)?;
        Ok(route.peer.address.rsplit_once(':').expect("a port").1.to_owned())
    }

    #[test]
    fn the_less_loaded_of_two_is_chosen() {
        let members = [member(1, 9, 1_000), member(2, 1, 1_000)];
        assert_eq!(chosen(&members, &testing::get("/")).unwrap(), "2");
    }

    #[test]
    fn a_slow_upstream_costs_more() {
        let members = [member(1, 0, 50_000), member(2, 9, 1_000)];
        assert_eq!(chosen(&members, &testing::get("/")).unwrap(), "2");
    }

    #[test]
    fn one_that_has_not_answered_yet_is_tried() {
        let members = [member(1, 0, 1_000), Upstream::unknown("203.0.113.7:2")];
        assert_eq!(chosen(&members, &testing::get("/")).unwrap(), "2");
    }

    #[test]
    fn the_ill_are_left_alone_while_others_are_well() {
        let ill = Upstream { health: Health::Unhealthy, ..member(1, 0, 1) };
        let failing = Upstream { failures: 3, ..member(2, 0, 1) };
        assert_eq!(chosen(&[ill.clone(), failing, member(3, 9, 9)], &testing::get("/")).unwrap(), "3");
        assert_eq!(chosen(&[ill], &testing::get("/")).unwrap(), "1", "rather that than none");
    }

    #[test]
    fn what_failed_is_not_tried_again() {
        let members = [member(1, 0, 1), member(2, 9, 9)];
        let request = testing::get("/").attempt(testing::refused("203.0.113.7:1"));
        assert_eq!(chosen(&members, &request).unwrap(), "2");
        let request = request.attempt(testing::refused("203.0.113.7:2"));
        assert_eq!(chosen(&members, &request).unwrap_err().to_string(), "every upstream of the group has failed");
    }

    #[test]
    fn a_group_that_is_not_there_is_named() {
        testing::config(r#"{"group": "other"}"#);
        let error = select_peer(&testing::get("/")).unwrap_err().to_string();
        assert_eq!(error, "there is no group `other`; the operator defines it");
    }
}
