//! `pointsman inspect`: shows what a module needs, and whether the host would refuse it.

use std::path::PathBuf;

use pointsman_rules::config::TenantLimits;
use pointsman_rules::text::json_pretty;
use pointsman_wasm::module;

use crate::cli::{Outcome, print, user_cache};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A component, or a core module with its component type
    #[arg(value_name = "MODULE")]
    module: PathBuf,
}

pub fn inspect(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let loader = user_cache::loader()?;
    let inspection = module::inspect(&loader, &arguments.module, &TenantLimits::default())?;
    print::line(json_pretty(&inspection));
    Ok(if inspection.refused.is_some() { Outcome::Refused } else { Outcome::Success })
}
