//! A table of bounds: each of its keys is a [`LimitKey`], so that metrics and errors have a name for it.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::section::{Section, Unit};
use crate::limit_key::LimitKey;

/// `[tenant.limits]` or `[tenant.quota]`.
pub struct LimitSection<'t>(pub Section<'t>);

impl LimitSection<'_> {
    /// As [`Section::number`].
    pub fn number<T>(&mut self, key: LimitKey, range: RangeInclusive<T>, unit: Unit) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        self.0.number(key.name(), range, unit)
    }

    /// As [`Section::milliseconds`].
    pub fn milliseconds(&mut self, key: LimitKey, range: RangeInclusive<u64>) -> Option<Duration> {
        self.0.milliseconds(key.name(), range)
    }

    /// As [`Section::finish`].
    pub fn finish(self) {
        self.0.finish();
    }
}
