//! `pointsman dev`: builds and runs a module while its author edits it.

mod sources;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pointsman_rules::config::{
    self, AccessLog, Config, ListenerConfig, LogConfig, LogFormat, LogLevel, ProxyConfig, ResolverConfig,
};
use pointsman_wasm::module::BuildIn;

use crate::cli::dev::sources::{BuildFlags, Project};
use crate::cli::offline::tenant_of_module;
use crate::cli::{Outcome, print, stopped_early, user_cache};
use crate::log;
use crate::server::{self, Launch, Order, Server, Signals};

pub const EXAMPLES: &str = "\
Examples:
  pointsman dev                             the project in this folder: builds it when a source is saved
  pointsman dev --config shop/pointsman.toml --debug
  pointsman dev --module router.wasm --module-config '{\"address\": \"127.0.0.1:9101\"}'

Save a source, and the next request is decided by the new module. If it does not compile, or fails a test of
router.tests.json, the one before it goes on serving.";

/// Printed decisions replace the access log.
const LOG: LogConfig = LogConfig { level: LogLevel::Info, format: LogFormat::Text, access: AccessLog::Off };

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Run this configuration, and reload it when it changes. The project in its folder, if there is one, is built when
    /// one of its sources changes
    #[arg(short, long, value_name = "FILE", default_value = "pointsman.toml", conflicts_with = "module")]
    config: PathBuf,
    /// Do not build the project
    #[arg(long)]
    no_build: bool,
    #[command(flatten)]
    build: BuildFlags,
    /// Run this module for every hostname, with default limits and every grant
    #[arg(short, long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// The configuration of `--module`, as JSON
    #[arg(long, value_name = "JSON", requires = "module", default_value = "{}")]
    module_config: String,
    /// The address on which `--module` is served
    #[arg(long, value_name = "IP:PORT", requires = "module", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub fn dev(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let starting = Signals::take_over()?.until_ready(stopped_early)?;
    let _log = log::start(&LOG);
    let mut project = match arguments.module.is_some() || arguments.no_build {
        true => None,
        false => Project::of_config(&arguments.config, arguments.build)?,
    };
    if let Some(project) = &mut project {
        project.build_if_stale();
    }
    let server = loop {
        match start(arguments)? {
            Ok(server) => break server,
            Err(problem) => eprintln!("{problem}"),
        }
        let Some(project) = &mut project else { return Ok(Outcome::Refused) };
        print::line("waiting for a change of the project's files");
        project.wait_and_build();
    };
    let mut signals = starting.ready()?;
    let what = if project.is_some() { "source" } else { "module" };
    for (listener, address) in server.addresses() {
        print::line(format_args!(
            "listening on {address} ({listener}); save a {what}, and the next request is decided by it"
        ));
    }
    project.map_or(Ok(()), Project::keep_built)?;
    loop {
        match signals.next(server.on_quit()) {
            Order::Stop { .. } => break,
            Order::Reload => {
                if let Err(error) = server.control().reload() {
                    eprintln!("{}", pointsman_rules::text::chain(&error));
                }
            }
            // There is no access log.
            Order::ReopenLogs => {}
            Order::Upgrade | Order::HandOver => eprintln!("`pointsman dev` is not upgraded: start it again"),
        }
    }
    server.stop();
    Ok(Outcome::Success)
}

/// Starts the proxy. The inner error is for the user: the configuration or a module is refused.
fn start(arguments: &Arguments) -> anyhow::Result<Result<Server, String>> {
    let (mut config, file) = match &arguments.module {
        Some(module) => (of_module(module, arguments)?, None),
        None => match config::load(&arguments.config) {
            Ok(config) => (config, Some(arguments.config.clone())),
            Err(errors) => return Ok(Err(errors.to_string())),
        },
    };
    adapt(&mut config);
    let launch = Launch { config, file, build_in: BuildIn::ThisProcess, dev: true, adapt, takes_over: None };
    Ok(server::start(launch).map_err(|error| pointsman_rules::text::chain(&error)))
}

/// Settings that `dev` forces, whatever the configuration says.
fn adapt(config: &mut Config) {
    config.log = LOG;
    config.proxy.watch = true;
    config.proxy.cache_dir = config.proxy.cache_dir.take().or_else(user_cache::compiled_modules);
}

/// A configuration for one module.
fn of_module(module: &Path, arguments: &Arguments) -> anyhow::Result<Config> {
    Ok(Config {
        proxy: ProxyConfig::default(),
        log: LOG,
        resolver: ResolverConfig::default(),
        admin: None,
        listeners: vec![ListenerConfig::new("dev".to_owned(), arguments.listen)],
        credentials: Vec::new(),
        tenants: vec![tenant_of_module("dev", module, &arguments.module_config)?],
    })
}
