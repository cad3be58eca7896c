//! The WIT interface `shared`: the tenant's counters and values.

use std::time::Duration;

use pointsman_rules::reads::Read;

use crate::abi::v0_1::bindings::pointsman::router::shared::{Error, Host};
use crate::state::State;

impl Host for State {
    fn add(&mut self, key: String, amount: i64, ttl_ms: Option<u32>) -> wasmtime::Result<Result<i64, Error>> {
        let now = self.now;
        let sum = self.stores("shared.add")?.shared.add(&key, amount, ttl(ttl_ms), now);
        self.reads.note(Read::SharedAdd { key, sum });
        Ok(sum.map_err(Error::from))
    }

    fn counter(&mut self, key: String) -> wasmtime::Result<Option<i64>> {
        let now = self.now;
        let count = self.stores("shared.counter")?.shared.counter(&key, now);
        self.reads.note(Read::SharedCounter { key, count });
        Ok(count)
    }

    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        let now = self.now;
        let value = self.stores("shared.get")?.shared.get(&key, now);
        self.reads.note(Read::SharedGet { key, value: value.clone() });
        Ok(value)
    }

    fn set(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u32>) -> wasmtime::Result<Result<(), Error>> {
        let now = self.now;
        let done = self.stores("shared.set")?.shared.set(&key, value, ttl(ttl_ms), now);
        self.reads.note(Read::SharedSet { key, done });
        Ok(done.map_err(Error::from))
    }

    fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        ttl_ms: Option<u32>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let now = self.now;
        let shared = &self.stores("shared.compare-and-set")?.shared;
        let done = shared.compare_and_set(&key, expected.as_deref(), value, ttl(ttl_ms), now);
        self.reads.note(Read::SharedCompareAndSet { key, done });
        Ok(done.map_err(Error::from))
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<()> {
        self.stores("shared.delete")?.shared.delete(&key);
        self.reads.note(Read::SharedDelete(key));
        Ok(())
    }
}

fn ttl(ms: Option<u32>) -> Option<Duration> {
    ms.map(|ms| Duration::from_millis(ms.into()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use pointsman_rules::config::Limits;
    use pointsman_rules::inputs::Inputs;
    use pointsman_rules::request::WrittenRequest;
    use pointsman_rules::settings::ModuleSettings;
    use pointsman_rules::stores::{SharedStore, Stores, Upstreams};
    use serde_json::Value;

    use super::*;
    use crate::state::{Call, CallsSpent, State};

    /// A state with `host_calls` calls of the host left.
    fn state(host_calls: usize, stores: &Arc<Stores>) -> State {
        let inputs = Inputs::try_from(&WrittenRequest::get("http://a.test/")).unwrap();
        let limits = Limits { host_calls, ..Limits::default() };
        let call = Call { inputs: &inputs, stores: Some(stores), limits: &limits };
        State::new(Arc::new(ModuleSettings::new(Value::Null)), call, Instant::now())
    }

    #[track_caller]
    fn is_spent<T>(done: wasmtime::Result<T>) {
        assert!(done.is_err_and(|error| error.is::<CallsSpent>()));
    }

    #[test]
    fn call_beyond_the_limit_has_no_effect() {
        let (shared, upstreams) = (Arc::new(SharedStore::new(1_000)), Arc::new(Upstreams::new(10, Instant::now())));
        let stores = Arc::new(Stores { shared: shared.clone(), upstreams, groups: Vec::new() });
        state(1, &stores).set("value".to_owned(), b"kept".to_vec(), None).unwrap().unwrap();
        let mut spent = state(0, &stores);
        is_spent(spent.add("count".to_owned(), 1, None));
        is_spent(spent.set("value".to_owned(), b"changed".to_vec(), None));
        is_spent(spent.compare_and_set("value".to_owned(), Some(b"kept".to_vec()), b"changed".to_vec(), None));
        is_spent(spent.delete("value".to_owned()));
        is_spent(spent.get("value".to_owned()));
        is_spent(spent.counter("count".to_owned()));
        let now = Instant::now();
        assert_eq!((shared.counter("count", now), shared.get("value", now)), (None, Some(b"kept".to_vec())));
        assert!(spent.reads.list().is_empty());
    }
}
