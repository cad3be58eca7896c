//! `pointsman test`: runs the tests next to the modules of a project, and its native tests before.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use pointsman_wasm::module::Module;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::Value;

use crate::cli::build::{in_path, language_of, replace};
use crate::cli::new::native_tests;
use crate::cli::offline::{Named, OfflineTenant, TenantOptions, TenantSetup, folder_of};
use crate::cli::{Outcome, print, user_cache};
use crate::release::{TestResult, TestedVersion, Tests, run_each};

pub const EXAMPLES: &str = "\
Examples:
  pointsman test                                       the native tests, and router.tests.json
  pointsman test --no-native --filter canary           tests whose names contain `canary`
  pointsman test --no-native --update                  failed tests expect from now on what came out
  pointsman test --module router.wasm --junit out.xml  a module without a configuration, for a CI server";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    tenant: TenantOptions,
    /// Run only tests whose names contain this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Do not run the project's native tests
    #[arg(long)]
    no_native: bool,
    /// Rewrite the expectations of tests that fail to what came out. Look at the changes before you keep them
    #[arg(long)]
    update: bool,
    /// Write the results to this file, as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// The results of all test files.
struct Results {
    report: quick_junit::Report,
    passed: usize,
    failed: usize,
    updated: usize,
}

pub fn test(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let native_passed = match arguments.tenant.module {
        None if !arguments.no_native => run_native_tests(folder_of(&arguments.tenant.config))?,
        _ => true,
    };
    let setups = match setups(&arguments.tenant)? {
        Ok(setups) => setups,
        Err(problem) => {
            eprintln!("{problem}");
            return Ok(Outcome::Refused);
        }
    };
    let mut results = Results { report: quick_junit::Report::new("pointsman test"), passed: 0, failed: 0, updated: 0 };
    for setup in setups {
        let done = match setup.load()? {
            Ok(tenant) => results.add(&tenant, arguments)?,
            Err(problem) => Err(problem),
        };
        if let Err(problem) = done {
            eprintln!("{problem}");
            return Ok(Outcome::Refused);
        }
    }
    if let Some(path) = &arguments.junit {
        let text = results.report.to_string().context("JUnit XML")?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if results.passed == 0 && results.failed == 0 && results.updated == 0 {
        match arguments.filter.as_str() {
            "" => eprintln!("there are no tests: `router.tests.json`, next to `router.wasm`, may hold some"),
            filter => bail!("no test has a name that contains `{filter}`"),
        }
    }
    match results.updated {
        0 => print::line(format_args!("{} passed, {} failed", results.passed, results.failed)),
        updated => print::line(format_args!("{} passed, {} failed, {updated} updated", results.passed, results.failed)),
    }
    Ok(if results.failed == 0 && native_passed { Outcome::Success } else { Outcome::Refused })
}

/// The tenants to test. The inner error is for the user.
fn setups(options: &TenantOptions) -> anyhow::Result<Result<Vec<TenantSetup>, String>> {
    Ok(match options.load("test")? {
        Ok(Named::Module(setup)) => Ok(vec![*setup]),
        Ok(Named::Config(config)) => {
            config.tenants.iter().map(|tenant| TenantSetup::of_config(&config, tenant)).collect()
        }
        Err(problem) => Err(problem),
    })
}

impl Results {
    /// Runs the tests of a tenant. The inner error is for the user: tests cannot be run.
    fn add(&mut self, offline: &OfflineTenant, arguments: &Arguments) -> anyhow::Result<Result<(), String>> {
        let tenant = match offline.tenant()? {
            Ok(tenant) => tenant,
            Err(problem) => return Ok(Err(problem)),
        };
        let reconfigure = |module: &Module, config: &Value| offline.reconfigure(module, config);
        for (position, module) in offline.config().modules.iter().enumerate() {
            let tests = match Tests::beside(&module.path) {
                Ok(Some(tests)) => tests,
                Ok(None) => continue,
                Err(error) => return Ok(Err(pointsman_rules::text::chain(&error))),
            };
            let name = format!("{} ({})", tests.path().display(), offline.config().name);
            print::line(&name);
            let mut suite = TestSuite::new(name);
            let mut outcomes = Vec::new();
            let version =
                TestedVersion { tenant: &tenant, modules: &offline.modules, position, reconfigure: &reconfigure };
            let chosen = |name: &str| name.contains(&arguments.filter);
            let done = run_each(&tests, &version, chosen, |result| match (&result.outcome, arguments.update) {
                (Some(outcome), true) if !result.problems.is_empty() => {
                    outcomes.push((result.index, outcome.clone()));
                    self.add_updated(&mut suite, &result);
                }
                _ => self.add_result(&mut suite, &result),
            });
            self.report.add_test_suite(suite);
            let updated = done.and_then(|()| match outcomes.is_empty() {
                true => Ok(None),
                false => tests.updated(&outcomes).map(Some),
            });
            match updated {
                Ok(None) => {}
                Ok(Some(text)) => replace(tests.path(), text.as_bytes())?,
                Err(error) => return Ok(Err(pointsman_rules::text::chain(&error))),
            }
        }
        Ok(Ok(()))
    }

    fn add_updated(&mut self, suite: &mut TestSuite, result: &TestResult) {
        self.updated = self.updated.saturating_add(1);
        print::line(format_args!("  updated {}", result.name));
        result.problems.iter().for_each(|problem| print::line(format_args!("          {problem}")));
        suite.add_test_case(TestCase::new(result.name.clone(), TestCaseStatus::success()));
    }

    fn add_result(&mut self, suite: &mut TestSuite, result: &TestResult) {
        let status = match result.problems.is_empty() {
            true => {
                self.passed = self.passed.saturating_add(1);
                print::line(format_args!("  ok      {}", result.name));
                TestCaseStatus::success()
            }
            false => {
                self.failed = self.failed.saturating_add(1);
                print::line(format_args!("  FAILED  {}", result.name));
                result.problems.iter().for_each(|problem| print::line(format_args!("          {problem}")));
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(result.problems.join("\n"));
                status
            }
        };
        let mut case = TestCase::new(result.name.clone(), status);
        case.set_time(result.elapsed);
        suite.add_test_case(case);
    }
}

/// Runs the native tests of the project in this folder, if it is one and has its toolchain. Returns whether none
/// failed.
fn run_native_tests(folder: &Path) -> anyhow::Result<bool> {
    let Ok(language) = language_of(folder) else { return Ok(true) };
    let command = native_tests(language);
    let program = command.split(' ').next().unwrap_or_default();
    // Tools that `build --get-tools` got come first, as the project's page says.
    let tools = user_cache::folder().map(|folder| folder.join("bin"));
    let is_got = tools.as_ref().is_some_and(|folder| folder.join(program).is_file());
    if !is_got && in_path(program).is_none() {
        print::line(format_args!("native tests: skipped, since `{program}` is not in PATH (`{command}`)"));
        return Ok(true);
    }
    print::line(format_args!("native tests: {command}"));
    let before = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(tools.into_iter().chain(std::env::split_paths(&before)))?;
    let status = Command::new("sh").args(["-c", command]).current_dir(folder).env("PATH", path).status();
    let status = status.with_context(|| format!("cannot run `{command}`"))?;
    if !status.success() {
        print::line(format_args!("native tests: FAILED (`{command}`, {status})"));
    }
    Ok(status.success())
}
