//! Answers of the name servers: one for each address family of a name, and one that combines both.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::resolve::{Family, ResolveError};

/// How long an answer that lacks a family, because that was slow or failed, is used before both are looked up again.
const PARTIAL_TTL: Duration = Duration::from_secs(30);

/// The answer for one address family.
#[derive(Debug)]
pub struct FamilyAnswer {
    pub family: Family,
    pub found: Result<Vec<IpAddr>, ResolveError>,
    pub ttl: Duration,
}

/// The addresses of a name, or why there are none.
#[derive(Debug, Clone)]
pub struct Answer {
    pub found: Result<Arc<[IpAddr]>, ResolveError>,
    /// How long this is valid.
    pub ttl: Duration,
    /// The family that failed or is late, while the other has addresses.
    pub missing: Option<Family>,
}

impl FamilyAnswer {
    pub fn has_addresses(&self) -> bool {
        self.found.is_ok()
    }

    /// Whether the name servers gave an answer: addresses, or that there are none.
    fn is_known(&self) -> bool {
        matches!(self.found, Ok(_) | Err(ResolveError::NoAddress(_)))
    }
}

impl Answer {
    /// The answer for the only family that is looked up.
    pub fn of(one: FamilyAnswer) -> Answer {
        Answer { found: one.found.map(Into::into), ttl: one.ttl, missing: None }
    }

    /// The addresses of one family, while those of the other are missing. `least` is the shortest time that an answer
    /// with addresses is kept.
    pub fn without(missing: Family, one: FamilyAnswer, least: Duration) -> Answer {
        let ttl = one.ttl.min(PARTIAL_TTL.max(least));
        Answer { missing: Some(missing), ttl, ..Answer::of(one) }
    }

    /// This answer with the late family's addresses, if it has any, or the error of that family's look-up.
    pub fn with(&self, late: FamilyAnswer) -> Result<Answer, ResolveError> {
        let here = self.found.as_deref().unwrap_or_default();
        let found = match (late.found, late.family) {
            (Ok(v4), Family::V4) => v4.iter().chain(here).copied().collect(),
            (Ok(v6), Family::V6) => here.iter().chain(&v6).copied().collect(),
            (Err(ResolveError::NoAddress(_)), _) => return Ok(Answer { missing: None, ..self.clone() }),
            (Err(error), _) => return Err(error),
        };
        Ok(Answer { found: Ok(found), ttl: self.ttl.min(late.ttl), missing: None })
    }

    /// Combines both families, IPv4 addresses first. If one family fails, in whatever way, the addresses of the other
    /// are used (RFC 8305, section 3).
    pub fn of_both(one: FamilyAnswer, other: FamilyAnswer, least: Duration) -> Answer {
        let (v4, v6) = if one.family == Family::V4 { (one, other) } else { (other, one) };
        match (&v4.found, &v6.found) {
            (Ok(four), Ok(six)) => {
                let found = Ok(four.iter().chain(six).copied().collect());
                Answer { found, ttl: v4.ttl.min(v6.ttl), missing: None }
            }
            (Ok(_), Err(_)) if v6.is_known() => Answer::of(v4),
            (Err(_), Ok(_)) if v4.is_known() => Answer::of(v6),
            (Ok(_), Err(_)) => Answer::without(v6.family, v4, least),
            (Err(_), Ok(_)) => Answer::without(v4.family, v6, least),
            (Err(_), Err(_)) => Answer::of(more_telling(v4, v6)),
        }
    }
}

/// Chooses between two answers without addresses: a failure ranks above "no addresses", because that family might have
/// had some, and a failure with a reason ranks above a timeout.
fn more_telling(v4: FamilyAnswer, v6: FamilyAnswer) -> FamilyAnswer {
    let rank = |answer: &FamilyAnswer| match answer.found {
        _ if answer.is_known() => 0,
        Err(ResolveError::Timeout { .. }) => 1,
        _ => 2,
    };
    let ttl = v4.ttl.min(v6.ttl);
    let told = if rank(&v6) > rank(&v4) { v6 } else { v4 };
    FamilyAnswer { ttl, ..told }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const SECOND: Duration = Duration::from_secs(1);

    fn addresses(family: Family, list: &[&str]) -> FamilyAnswer {
        let found = list.iter().map(|text| text.parse().expect("an address")).collect();
        FamilyAnswer { family, found: Ok(found), ttl: MINUTE }
    }

    fn failed(family: Family, error: ResolveError) -> FamilyAnswer {
        FamilyAnswer { family, found: Err(error), ttl: SECOND }
    }

    fn none() -> ResolveError {
        ResolveError::NoAddress("a.test".to_owned())
    }

    fn broken() -> ResolveError {
        ResolveError::Failed { name: "a.test".to_owned(), message: "SERVFAIL".to_owned() }
    }

    fn slow() -> ResolveError {
        ResolveError::Timeout { name: "a.test".to_owned(), timeout: SECOND }
    }

    /// The addresses or the error, the seconds, and the family that is missing; in either order of the answers.
    #[track_caller]
    fn check(
        make: (impl Fn() -> FamilyAnswer, impl Fn() -> FamilyAnswer),
        found: Result<&[&str], ResolveError>,
        ttl: u64,
        missing: Option<Family>,
    ) {
        let found = found.map(|list| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        for answer in [Answer::of_both(make.0(), make.1(), SECOND), Answer::of_both(make.1(), make.0(), SECOND)] {
            let shown = answer.found.map(|list| list.iter().map(IpAddr::to_string).collect::<Vec<_>>());
            assert_eq!((&shown, answer.ttl.as_secs(), answer.missing), (&found, ttl, missing));
        }
    }

    #[test]
    fn addresses_of_both_families_are_used_ipv4_first() {
        let four = || addresses(Family::V4, &["127.0.0.1", "127.0.0.2"]);
        let six = || FamilyAnswer { ttl: SECOND * 9, ..addresses(Family::V6, &["::1"]) };
        check((four, six), Ok(&["127.0.0.1", "127.0.0.2", "::1"]), 9, None);
    }

    #[test]
    fn family_without_addresses_does_not_affect_the_other() {
        check((|| addresses(Family::V4, &["127.0.0.1"]), || failed(Family::V6, none())), Ok(&["127.0.0.1"]), 60, None);
        check((|| failed(Family::V4, none()), || addresses(Family::V6, &["::1"])), Ok(&["::1"]), 60, None);
    }

    #[test]
    fn failed_family_is_missing_and_soon_queried_again() {
        for error in [broken, slow] {
            let (four, six) = (Family::V4, Family::V6);
            check((|| addresses(four, &["127.0.0.1"]), || failed(six, error())), Ok(&["127.0.0.1"]), 30, Some(six));
            check((|| failed(four, error()), || addresses(six, &["::1"])), Ok(&["::1"]), 30, Some(four));
        }
    }

    #[test]
    fn late_family_is_inserted_in_order() {
        let partial = Answer::without(Family::V4, addresses(Family::V6, &["::1"]), SECOND);
        let shown = |late| {
            let whole = partial.with(late).map(|whole| (whole.found, whole.missing));
            whole.map(|(found, missing)| (found.map(|list| list.iter().map(IpAddr::to_string).collect()), missing))
        };
        let list = |list: &[&str]| Ok(list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(shown(addresses(Family::V4, &["127.0.0.1"])), Ok((list(&["127.0.0.1", "::1"]), None)));
        assert_eq!(shown(failed(Family::V4, none())), Ok((list(&["::1"]), None)));
        assert_eq!(shown(failed(Family::V4, broken())), Err(broken()));
    }

    #[test]
    fn more_specific_of_two_failures_is_reported() {
        let pair = |four: fn() -> ResolveError, six: fn() -> ResolveError| {
            (move || failed(Family::V4, four()), move || failed(Family::V6, six()))
        };
        check(pair(none, none), Err(none()), 1, None);
        check(pair(none, slow), Err(slow()), 1, None);
        check(pair(slow, none), Err(slow()), 1, None);
        check(pair(slow, slow), Err(slow()), 1, None);
        check(pair(slow, broken), Err(broken()), 1, None);
        check(pair(broken, none), Err(broken()), 1, None);
    }
}
