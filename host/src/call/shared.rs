//! The WIT interface `shared`: the tenant's counters and values.

use std::time::Duration;

use crate::bindings::pointsman::router::shared::{Error, Host};
use crate::call::State;
use crate::call::reads::Read;
use crate::stores::SharedError;

impl Host for State {
    fn add(&mut self, key: String, amount: i64, ttl_ms: Option<u32>) -> wasmtime::Result<Result<i64, Error>> {
        let sum = self.stores("shared.add")?.shared.add(&key, amount, ttl(ttl_ms), self.now).map_err(Error::from);
        self.note(Read::SharedAdd { key, sum })?;
        Ok(sum)
    }

    fn counter(&mut self, key: String) -> wasmtime::Result<Option<i64>> {
        let count = self.stores("shared.counter")?.shared.counter(&key, self.now);
        self.note(Read::SharedCounter { key, count })?;
        Ok(count)
    }

    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        let value = self.stores("shared.get")?.shared.get(&key, self.now);
        self.note(Read::SharedGet { key, value: value.clone() })?;
        Ok(value)
    }

    fn set(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u32>) -> wasmtime::Result<Result<(), Error>> {
        let done = self.stores("shared.set")?.shared.set(&key, value, ttl(ttl_ms), self.now).map_err(Error::from);
        self.note(Read::SharedSet { key, done })?;
        Ok(done)
    }

    fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        ttl_ms: Option<u32>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let shared = &self.stores("shared.compare-and-set")?.shared;
        let done = shared.compare_and_set(&key, expected.as_deref(), value, ttl(ttl_ms), self.now).map_err(Error::from);
        self.note(Read::SharedCompareAndSet { key, done })?;
        Ok(done)
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<()> {
        self.stores("shared.delete")?.shared.delete(&key);
        self.note(Read::SharedDelete(key))
    }
}

impl From<SharedError> for Error {
    fn from(error: SharedError) -> Error {
        match error {
            SharedError::Full => Error::Full,
            SharedError::TooLong => Error::TooLong,
            SharedError::OtherKind => Error::OtherKind,
            SharedError::Overflow => Error::Overflow,
        }
    }
}

fn ttl(ms: Option<u32>) -> Option<Duration> {
    ms.map(|ms| Duration::from_millis(ms.into()))
}
