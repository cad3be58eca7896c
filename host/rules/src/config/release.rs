//! Reads `[tenant.release]`.

use std::time::Duration;

use crate::config::section::{DAY_MS, Section, Unit};
use crate::config::{ReleaseConfig, Stage};

pub fn read(section: Option<Section<'_>>) -> ReleaseConfig {
    let defaults = ReleaseConfig::default();
    let Some(mut section) = section else { return defaults };
    let stage = section.choice("stage", &Stage::ALL);
    let canary_percent = section.number("canary_percent", 0..=100, Unit::Things);
    let promote_after_time = section.milliseconds("promote_after_ms", 0..=7 * DAY_MS);
    let rollback_window = section.milliseconds("rollback_window_ms", 0..=7 * DAY_MS);
    // Each version in the history keeps one or more compiled modules in memory.
    let history = section.number("history", 0..=100, Unit::Things);
    let mut number = |key, default| section.number(key, 0..=1_000_000_000, Unit::Things).unwrap_or(default);
    let config = ReleaseConfig {
        stage: stage.unwrap_or(defaults.stage),
        canary_percent: canary_percent.unwrap_or(defaults.canary_percent),
        promote_after: number("promote_after", defaults.promote_after),
        promote_after_time: promote_after_time.unwrap_or(Duration::ZERO),
        abort_failures: number("abort_failures", defaults.abort_failures),
        rollback_failures: number("rollback_failures", defaults.rollback_failures),
        rollback_window: rollback_window.unwrap_or(defaults.rollback_window),
        history: history.unwrap_or(defaults.history),
    };
    if config.stage == Stage::Canary && config.canary_percent == 0 {
        section.problem("stage", "a canary of 0 % serves no client: raise `canary_percent`");
    }
    section.finish();
    config
}
