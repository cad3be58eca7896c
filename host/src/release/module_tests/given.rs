//! The conditions that a test sets: time, random numbers, stored entries, observations of upstreams, and another
//! configuration of the module.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, FixedOffset};
use pointsman_rules::check::{Target, target};
use pointsman_rules::config::Quota;
use pointsman_rules::contract::Health;
use pointsman_rules::inputs::FixedMoment;
use pointsman_rules::stores::{Observations, SharedStore, Stores, Upstreams};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The conditions of a test. Whatever is absent is as it is for traffic.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Given {
    /// The time, in RFC 3339's format.
    now: Option<DateTime<FixedOffset>>,
    /// The results of `random.get-u64`; the first is the seed of all other random values.
    #[serde(default)]
    random: Vec<u64>,
    /// All entries of `shared`: a number is a counter, a text or `{"hex": "..."}` a value.
    shared: Option<Map<String, Value>>,
    #[serde(default)]
    upstreams: Vec<GivenUpstream>,
    /// The configuration of the module that the tests belong to.
    pub config: Option<Value>,
}

/// Observations of an upstream, as the WIT interface `upstreams` names them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GivenUpstream {
    address: String,
    health: Option<Health>,
    #[serde(default)]
    in_flight: u32,
    latency_us: Option<u32>,
    #[serde(default)]
    failures: u32,
}

/// A part of `given` that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    #[error("`given.now`: {0} is before 1970")]
    Now(DateTime<FixedOffset>),
    #[error("`given.shared`: `{key}`: {reason}")]
    Shared { key: String, reason: String },
    #[error("`given.upstreams`: `{address}`: {reason}")]
    Upstream { address: String, reason: String },
}

impl Given {
    pub fn moment(&self) -> Result<FixedMoment, GivenError> {
        let now_ms = match self.now {
            None => None,
            Some(now) => Some(u64::try_from(now.timestamp_millis()).map_err(|_| GivenError::Now(now))?),
        };
        Ok(FixedMoment { now_ms, random: self.random.clone() })
    }

    /// The stores of the test: those of all tests of its file, but for what is given.
    pub fn stores(&self, common: &Arc<Stores>, quota: &Quota) -> Result<Arc<Stores>, GivenError> {
        if self.shared.is_none() && self.upstreams.is_empty() {
            return Ok(common.clone());
        }
        let now = Instant::now();
        let mut stores = Stores {
            shared: common.shared.clone(),
            upstreams: common.upstreams.clone(),
            groups: common.groups.clone(),
        };
        if let Some(entries) = &self.shared {
            stores.shared = Arc::new(SharedStore::new(quota.shared_bytes));
            for (key, value) in entries {
                let added = add(&stores.shared, key, value, now);
                added.map_err(|reason| GivenError::Shared { key: key.clone(), reason })?;
            }
        }
        if !self.upstreams.is_empty() {
            self.set_upstreams(&mut stores, quota, now)?;
        }
        Ok(Arc::new(stores))
    }

    fn set_upstreams(&self, stores: &mut Stores, quota: &Quota, now: Instant) -> Result<(), GivenError> {
        stores.upstreams = Arc::new(Upstreams::new(quota.peers.max(self.upstreams.len()), now));
        let mut health = Vec::<(Target, Health)>::new();
        for given in &self.upstreams {
            let wrong = |reason: String| GivenError::Upstream { address: given.address.clone(), reason };
            let target = target(&given.address).map_err(|error| wrong(error.to_string()))?;
            if let Some(found) = given.health {
                let in_group =
                    stores.groups.iter().flat_map(|group| group.members()).any(|(member, _)| *member == target);
                if !in_group {
                    return Err(wrong("it is in no group of the tenant, so it has no `health`".to_owned()));
                }
                health.push((target.clone(), found));
            }
            let GivenUpstream { in_flight, latency_us, failures, .. } = *given;
            stores.upstreams.set(target, Observations { in_flight, latency_us, failures }, now);
        }
        let of = |member: &Target| health.iter().find(|(target, _)| target == member).map(|(_, health)| *health);
        stores.groups = stores.groups.iter().map(|group| Arc::new(group.with_health(of))).collect();
        Ok(())
    }
}

/// Adds an entry that never expires.
fn add(shared: &SharedStore, key: &str, value: &Value, now: Instant) -> Result<(), String> {
    const KINDS: &str = "an integer is a counter; a text, or {\"hex\": \"...\"}, is a value";
    let bytes = match value {
        Value::Number(number) => {
            let number = number.as_i64().ok_or(KINDS)?;
            return shared.add(key, number, None, now).map(drop).map_err(|error| error.name().to_owned());
        }
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Object(object) => match (object.len(), object.get("hex").and_then(Value::as_str).and_then(unhex)) {
            (1, Some(bytes)) => bytes,
            _ => return Err(KINDS.to_owned()),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) => return Err(KINDS.to_owned()),
    };
    shared.set(key, bytes, None, now).map_err(|error| error.name().to_owned())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, []) = digits.as_deref()?.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).ok()).collect()
}

#[cfg(test)]
mod tests {
    use pointsman_rules::stores::Group;
    use serde_json::json;

    use super::*;

    fn given(json: Value) -> Given {
        serde_json::from_value(json).unwrap()
    }

    fn common() -> Arc<Stores> {
        let member = target("127.0.0.1:1").unwrap();
        Arc::new(Stores {
            shared: Arc::new(SharedStore::new(1_000)),
            upstreams: Arc::new(Upstreams::new(10, Instant::now())),
            groups: vec![Arc::new(Group::new("all", [member]))],
        })
    }

    fn stores(json: Value) -> Result<Arc<Stores>, String> {
        let quota = Quota { shared_bytes: 10_000, ..Quota::default() };
        given(json).stores(&common(), &quota).map_err(|error| error.to_string())
    }

    #[test]
    fn time_and_random_numbers_are_as_given() {
        let moment = given(json!({"now": "2026-12-01T10:00:00.5+01:00", "random": [u64::MAX]})).moment().unwrap();
        assert_eq!(moment, FixedMoment { now_ms: Some(1_796_115_600_500), random: vec![u64::MAX] });
        let refused = given(json!({"now": "1969-12-31T00:00:00Z"})).moment().unwrap_err();
        assert_eq!(refused.to_string(), "`given.now`: 1969-12-31 00:00:00 +00:00 is before 1970");
    }

    #[test]
    fn entries_are_counters_texts_and_bytes() {
        let stores = stores(json!({"shared": {"count": -3, "text": "a", "bytes": {"hex": "00ff"}}})).unwrap();
        let now = Instant::now();
        assert_eq!(stores.shared.counter("count", now), Some(-3));
        assert_eq!(stores.shared.get("text", now), Some(b"a".to_vec()));
        assert_eq!(stores.shared.get("bytes", now), Some(vec![0, 255]));
    }

    #[test]
    fn upstreams_have_given_health_and_figures() {
        let stores = stores(json!({"upstreams": [
            {"address": "127.0.0.1:1", "health": "unhealthy"},
            {"address": "127.0.0.1:2", "in-flight": 7, "latency-us": 90, "failures": 2},
        ]}));
        let stores = stores.unwrap();
        let group = stores.group("all").unwrap();
        assert_eq!(group.members().map(|(_, health)| health).collect::<Vec<_>>(), [Health::Unhealthy]);
        let known = stores.upstreams.known(&target("127.0.0.1:2").unwrap(), Instant::now());
        assert_eq!(known, Observations { in_flight: 7, latency_us: Some(90), failures: 2 });
    }

    #[test]
    fn what_cannot_be_given_is_refused_with_its_place() {
        let kinds = "an integer is a counter; a text, or {\"hex\": \"...\"}, is a value";
        for (json, refused) in [
            (json!({"shared": {"a": true}}), format!("`given.shared`: `a`: {kinds}")),
            (json!({"shared": {"a": 1.5}}), format!("`given.shared`: `a`: {kinds}")),
            (json!({"shared": {"a": {"hex": "0"}}}), format!("`given.shared`: `a`: {kinds}")),
            (json!({"shared": {"a": {"hex": "zz"}}}), format!("`given.shared`: `a`: {kinds}")),
            (json!({"shared": {"a": "x".repeat(20_000)}}), "`given.shared`: `a`: too-long".to_owned()),
            (
                json!({"upstreams": [{"address": "127.0.0.1:2", "health": "healthy"}]}),
                "`given.upstreams`: `127.0.0.1:2`: it is in no group of the tenant, so it has no `health`".to_owned(),
            ),
        ] {
            assert_eq!(stores(json).unwrap_err(), refused);
        }
        assert!(stores(json!({"upstreams": [{"address": "no port"}]})).is_err());
    }
}
