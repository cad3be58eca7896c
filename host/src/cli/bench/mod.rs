//! `pointsman bench`: measures the decisions of a tenant's modules in each way that a proxy may make them, and the
//! share of the limits that they take.

mod measure;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::WrittenRequest;
use pointsman_rules::text::{chain, json_pretty};

use crate::cli::bench::measure::measure;
use crate::cli::bench::report::{Comparison, Report};
use crate::cli::offline::{Named, OfflineTenant, TenantOptions, TenantSetup};
use crate::cli::{Outcome, print};
use crate::release::Tests;

pub const EXAMPLES: &str = "\
Examples:
  pointsman bench                                  the requests of router.tests.json
  pointsman bench --compare router.old.wasm        the same beside another build of the module
  pointsman bench --module router.wasm --json      a module without a configuration, for a program

Times are of one thread, without a network. `new` makes an instance for each decision, `rewound` puts one back to its
state at the start (what a proxy does by default), `reused` keeps its state (`instance_calls`), and `cached` answers from
the decision cache without calling the module.";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    options: TenantOptions,
    /// The tenant, if the configuration has several
    #[arg(long, value_name = "NAME", conflicts_with = "module")]
    tenant: Option<String>,
    /// Measure this module too, in turns, in place of the tenant's only one
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Number of decisions in each way
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    decisions: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn bench(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let setup = match setup(arguments)? {
        Ok(setup) => setup,
        Err(problem) => return refused(&problem),
    };
    let compared = arguments.compare.as_ref().map(|other| with_module(&setup, other)).transpose()?;
    let Some(first) = setup.config.modules.first() else {
        bail!("the tenant has no modules");
    };
    let (requests, source) = requests(&first.path)?;
    let mut tenants = Vec::<OfflineTenant>::new();
    for setup in std::iter::once(setup).chain(compared) {
        match setup.load()? {
            Ok(tenant) => tenants.push(tenant),
            Err(problem) => return refused(&problem),
        }
    }
    let mut reports = Vec::new();
    match measure(&tenants, &requests, arguments.decisions)? {
        Ok(all) => {
            for (tenant, measured) in tenants.iter().zip(all) {
                reports.push(Report::new(tenant, measured)?);
            }
        }
        Err(problem) => return refused(&problem),
    }
    let comparison = Comparison { requests: requests.len(), source, decisions: arguments.decisions, reports };
    match arguments.json {
        true => print::line(json_pretty(&comparison)),
        false => print::line(comparison.to_string().trim_end()),
    }
    if cfg!(debug_assertions) {
        eprintln!("warning: this is a debug build of pointsman: times are several times those of a release build");
    }
    Ok(Outcome::Success)
}

fn refused(problem: &str) -> anyhow::Result<Outcome> {
    eprintln!("{problem}");
    Ok(Outcome::Refused)
}

/// The tenant that the arguments select. The inner error is for the user.
fn setup(arguments: &Arguments) -> anyhow::Result<Result<TenantSetup, String>> {
    let config = match arguments.options.load("bench")? {
        Ok(Named::Module(setup)) => return Ok(Ok(*setup)),
        Ok(Named::Config(config)) => config,
        Err(problem) => return Ok(Err(problem)),
    };
    let chosen: Vec<_> = match &arguments.tenant {
        Some(name) => config.tenants.iter().filter(|tenant| tenant.name == *name).collect(),
        None => config.tenants.iter().collect(),
    };
    match (chosen.as_slice(), &arguments.tenant) {
        ([tenant], _) => Ok(TenantSetup::of_config(&config, tenant)),
        (_, Some(name)) => bail!("{} has no tenant `{name}`", arguments.options.config.display()),
        (tenants, None) => bail!(
            "{} has {} tenants: choose one with --tenant {}",
            arguments.options.config.display(),
            tenants.len(),
            tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>().join("|")
        ),
    }
}

/// The same tenant with another file as its only module.
fn with_module(setup: &TenantSetup, file: &Path) -> anyhow::Result<TenantSetup> {
    let mut setup = setup.clone();
    match setup.config.modules.as_mut_slice() {
        [module] => module.path = file.to_owned(),
        modules => bail!("--compare: the tenant has {} modules; it can replace one only", modules.len()),
    }
    Ok(setup)
}

/// The requests of the tests next to a module, or a plain one; and where they are from.
fn requests(module: &Path) -> anyhow::Result<(Vec<Inputs>, String)> {
    let tests = Tests::beside(module).map_err(|error| anyhow::anyhow!(chain(&error)))?;
    let written = tests.as_ref().map(|tests| tests.requests(usize::MAX)).unwrap_or_default();
    let source = match (&tests, written.is_empty()) {
        (Some(tests), false) => tests.path().display().to_string(),
        _ => "GET http://localhost/, since there are no tests".to_owned(),
    };
    let written = if written.is_empty() { vec![WrittenRequest::get("http://localhost/")] } else { written };
    let inputs: Result<Vec<_>, _> = written.iter().map(Inputs::try_from).collect();
    Ok((inputs.with_context(|| source.clone())?, source))
}
