//! The report of `pointsman bench`, for people and as JSON.

use std::fmt;
use std::time::Duration;

use pointsman_rules::limit_key::LimitKey;
use pointsman_wasm::module::{Needs, Sections, read};
use serde::Serialize;

use crate::cli::bench::measure::{Measured, Timed, Way};
use crate::cli::offline::OfflineTenant;
use crate::cli::table::Table;

/// The report of all tenants that were measured: one, or two to compare.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Number of different requests.
    pub requests: usize,
    pub source: String,
    /// Number of decisions in each way.
    pub decisions: u32,
    pub reports: Vec<Report>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    tenant: String,
    modules: Vec<ModuleReport>,
    ways: Vec<WayReport>,
    limits: Vec<Share>,
}

#[derive(Debug, Serialize)]
struct ModuleReport {
    path: String,
    bytes: usize,
    sections: Sections,
    /// What an instance takes at its start.
    needs: Needs,
    /// Pages of 4 KiB that decisions write. None: its instances are not rewound.
    pages_written: Option<usize>,
}

#[derive(Debug, Serialize)]
struct WayReport {
    way: Way,
    /// None: see `impossible`.
    nanoseconds: Option<Percentiles>,
    failed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    impossible: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Percentiles {
    p50: u64,
    p90: u64,
    p99: u64,
    worst: u64,
}

/// Most that a decision used, and its limit. Of CPU time it is the 99th percentile, in a new instance.
#[derive(Debug, Serialize)]
struct Share {
    /// Its key: `limits.decision_ms`.
    limit: String,
    unit: Unit,
    used: u64,
    most: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    Nanoseconds,
    Bytes,
    Calls,
}

impl Unit {
    fn shown(self, number: u64) -> String {
        match self {
            Unit::Nanoseconds => micros(number),
            Unit::Bytes => kib(number),
            Unit::Calls => number.to_string(),
        }
    }
}

impl Report {
    pub fn new(offline: &OfflineTenant, measured: Measured) -> anyhow::Result<Report> {
        let (config, mut modules) = (offline.config(), Vec::new());
        for ((module, loaded), pages) in config.modules.iter().zip(&offline.modules).zip(measured.pages) {
            let bytes = read(&module.path)?;
            modules.push(ModuleReport {
                path: module.path.display().to_string(),
                bytes: bytes.len(),
                sections: Sections::of(&bytes),
                needs: loaded.needs(),
                pages_written: pages,
            });
        }
        let ways: Vec<WayReport> = measured.ways.into_iter().map(WayReport::new).collect();
        // A tenant's modules may be of different classes: the report names the limits of the first.
        let limits = offline.modules.first().map(|module| {
            let limits = config.limits.of(module.class());
            let cpu = Percentiles::of(&measured.cpu).map(|cpu| cpu.p99).unwrap_or_default();
            let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
            let share = |limit: LimitKey, unit, used, most| Share { limit: limit.to_string(), unit, used, most };
            let (bytes, calls, used) = (Unit::Bytes, Unit::Calls, measured.most);
            vec![
                share(LimitKey::DecisionMs, Unit::Nanoseconds, cpu, nanoseconds(limits.decision)),
                share(LimitKey::MemoryMib, bytes, number(used.memory_bytes), number(limits.memory_bytes)),
                share(LimitKey::HostCalls, calls, number(used.host_calls), number(limits.host_calls)),
                share(LimitKey::LogBytes, bytes, number(used.log_bytes), number(limits.log_bytes)),
            ]
        });
        Ok(Report { tenant: config.name.clone(), modules, ways, limits: limits.unwrap_or_default() })
    }
}

impl WayReport {
    fn new((way, timed): (Way, Timed)) -> WayReport {
        match timed {
            Timed::Decisions { sorted, failed } => {
                let nanoseconds = Percentiles::of(&sorted);
                WayReport { way, nanoseconds, failed, impossible: None }
            }
            Timed::Impossible(reason) => WayReport { way, nanoseconds: None, failed: 0, impossible: Some(reason) },
        }
    }
}

impl Percentiles {
    /// None: there are no times.
    fn of(sorted: &[Duration]) -> Option<Percentiles> {
        // The smallest time that this many per cent of all do not exceed.
        let at = |percent: usize| {
            let rank = sorted.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).copied().map(nanoseconds)
        };
        Some(Percentiles { p50: at(50)?, p90: at(90)?, p99: at(99)?, worst: at(100)? })
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { requests, source, decisions, reports } = self;
        writeln!(f, "{decisions} decisions in each way, requests: {requests} ({source})")?;
        for report in reports {
            write!(f, "\n{report}")?;
        }
        if let [first, second] = reports.as_slice() {
            let mut table = Table::new(["WAY", "P50 OF THE SECOND / THE FIRST"]);
            for (one, other) in first.ways.iter().zip(&second.ways) {
                let ratio = one.nanoseconds.zip(other.nanoseconds).map(|(one, other)| ratio(other.p50, one.p50));
                table.row([one.way.name().to_owned(), ratio.unwrap_or_default()]);
            }
            write!(f, "\n{table}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for module in &self.modules {
            let ModuleReport { path, bytes, sections, needs, pages_written } = module;
            let Sections { code, data, debug, custom, other } = *sections;
            writeln!(f, "{path} ({}): {}", self.tenant, kib(u64::try_from(*bytes).unwrap_or(u64::MAX)))?;
            writeln!(
                f,
                "  code {}, data {}, names and debug information {}, other custom sections {}, rest {}",
                kib(code),
                kib(data),
                kib(debug),
                kib(custom),
                kib(other)
            )?;
            let pages = match pages_written {
                Some(pages) => format!("decisions write {pages} pages of 4 KiB"),
                None => "its instances are not rewound".to_owned(),
            };
            writeln!(f, "  starts with {} of memory; {pages}", kib(needs.memory_bytes))?;
        }
        let mut table = Table::new(["WAY", "P50", "P90", "P99", "WORST", "FAILED"]);
        for way in &self.ways {
            let cells = way.nanoseconds.map(|times| [times.p50, times.p90, times.p99, times.worst].map(micros));
            let [p50, p90, p99, worst] = cells.unwrap_or_default();
            table.row([way.way.name().to_owned(), p50, p90, p99, worst, way.failed.to_string()]);
        }
        write!(f, "{table}")?;
        for way in &self.ways {
            if let Some(reason) = &way.impossible {
                writeln!(f, "not {}: {reason}", way.way.name())?;
            }
        }
        let mut table = Table::new(["LIMIT", "USED", "OF", "SHARE"]);
        for Share { limit, unit, used, most } in &self.limits {
            let percent = used.saturating_mul(100).checked_div(*most).unwrap_or_default();
            let share = if percent == 0 && *used > 0 { "below 1 %".to_owned() } else { format!("{percent} %") };
            table.row([limit.clone(), unit.shown(*used), unit.shown(*most), share]);
        }
        write!(f, "\n{table}")
    }
}

fn kib(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        _ => format!("{} KiB", bytes.div_ceil(1024)),
    }
}

/// Microseconds with two digits after the point.
fn micros(nanoseconds: u64) -> String {
    let hundredths = nanoseconds / 10;
    format!("{}.{:02} us", hundredths / 100, hundredths % 100)
}

fn ratio(one: u64, other: u64) -> String {
    let hundredths = one.saturating_mul(100).checked_div(other.max(1)).unwrap_or_default();
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = |most: u64| (1..=most).map(Duration::from_nanos).collect::<Vec<_>>();
        let Percentiles { p50, p90, p99, worst } = Percentiles::of(&times(200)).unwrap();
        assert_eq!([p50, p90, p99, worst], [100, 180, 198, 200]);
        let Percentiles { p50, p99, .. } = Percentiles::of(&times(1)).unwrap();
        assert_eq!([p50, p99], [1, 1]);
        assert!(Percentiles::of(&[]).is_none());
    }

    #[test]
    fn numbers_have_units() {
        assert_eq!([micros(1_234), micros(10_000_000)], ["1.23 us", "10000.00 us"]);
        assert_eq!([kib(1023), kib(1025)], ["1023 B", "2 KiB"]);
        assert_eq!([ratio(3, 2), ratio(1, 0)], ["1.50", "1.00"]);
    }
}
