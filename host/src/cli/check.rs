//! `pointsman check`: checks a configuration and loads its modules, without serving.

use std::path::Path;

use pointsman_rules::config;

use crate::cli::Outcome;
use crate::server;

pub fn check(file: &Path) -> anyhow::Result<Outcome> {
    let config = match config::load(file) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return Ok(Outcome::Refused);
        }
    };
    let errors = server::check_files(&config)?;
    for error in &errors {
        eprintln!("{}", pointsman_rules::text::chain(error));
    }
    if !errors.is_empty() {
        return Ok(Outcome::Refused);
    }
    let modules: usize = config.tenants.iter().map(|tenant| tenant.modules.len()).sum();
    println!(
        "{}: ok (listeners: {}, tenants: {}, modules: {modules})",
        file.display(),
        config.listeners.len(),
        config.tenants.len()
    );
    Ok(Outcome::Success)
}
