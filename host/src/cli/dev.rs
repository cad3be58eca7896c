//! `pointsman dev`: runs a module while its author edits it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pointsman_rules::config::{
    self, AccessLog, Config, ListenerConfig, LogConfig, LogFormat, LogLevel, ProxyConfig, ResolverConfig,
};
use pointsman_wasm::module::BuildIn;

use crate::cli::offline::tenant_of_module;
use crate::cli::{Outcome, print, stopped_early, user_cache};
use crate::log;
use crate::server::{self, Launch, Order, Signals};

pub const EXAMPLES: &str = "\
Examples:
  pointsman dev --module router.wasm --module-config '{\"address\": \"127.0.0.1:9101\"}'
  pointsman dev --config pointsman.toml

Save the module, and the next request is decided by it. Beside it, router.tests.json may hold tests.";

/// Printed decisions replace the access log.
const LOG: LogConfig = LogConfig { level: LogLevel::Info, format: LogFormat::Text, access: AccessLog::Off };

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["config", "module"])))]
pub struct Arguments {
    /// Run this configuration, and reload it when it changes
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
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
    let (mut config, file) = match (&arguments.config, &arguments.module) {
        (Some(file), _) => match config::load(file) {
            Ok(config) => (config, Some(file.clone())),
            Err(errors) => {
                eprintln!("{errors}");
                return Ok(Outcome::Refused);
            }
        },
        (None, Some(module)) => (of_module(module, arguments)?, None),
        (None, None) => anyhow::bail!("either --config or --module is needed"),
    };
    adapt(&mut config);
    let _log = log::start(&config.log);
    let launch = Launch { config, file, build_in: BuildIn::ThisProcess, dev: true, adapt, takes_over: None };
    let server = match server::start(launch) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("{}", pointsman_rules::text::chain(&error));
            return Ok(Outcome::Refused);
        }
    };
    let mut signals = starting.ready()?;
    for (listener, address) in server.addresses() {
        print::line(format_args!(
            "listening on {address} ({listener}); save a module, and the next request is decided by it"
        ));
    }
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
