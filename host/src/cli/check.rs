//! `pointsman check`: checks a configuration and loads its modules, without serving.

use std::path::Path;

use pointsman_rules::config;

use crate::cli::{Outcome, print, user_cache};
use crate::server;

pub fn check(file: &Path) -> anyhow::Result<Outcome> {
    let config = match config::load(file) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return Ok(Outcome::Refused);
        }
    };
    let tests = match server::check_files(&config, user_cache::compiled_modules().as_deref())? {
        Ok(tests) => tests,
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("{}", pointsman_rules::text::chain(error)));
            return Ok(Outcome::Refused);
        }
    };
    let modules: usize = config.tenants.iter().map(|tenant| tenant.modules.len()).sum();
    print::line(format_args!(
        "{}: ok (listeners: {}, tenants: {}, modules: {modules}, tests: {tests})",
        file.display(),
        config.listeners.len(),
        config.tenants.len()
    ));
    Ok(Outcome::Success)
}
