//! `pointsman run`

use std::path::Path;

use crate::cli::{self, Outcome};
use crate::config::Grants;
use crate::server::{self, Order, Stopped};
use crate::{config, log};

pub fn run(file: &Path) -> anyhow::Result<Outcome> {
    let config = match config::load(file) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return Ok(Outcome::Refused);
        }
    };
    let _log = log::start(&config.log);
    let server = match server::start(&config) {
        Ok(server) => server,
        Err(error @ (server::StartError::Module { .. } | server::StartError::Tenant { .. })) => {
            eprintln!("{:#}", anyhow::Error::from(error));
            return Ok(Outcome::Refused);
        }
        Err(error) => return Err(error.into()),
    };
    // Before anybody is told that the proxy is there, and may ask it to stop.
    let mut next_order = server.signals()?;
    for tenant in &config.tenants {
        let granted = granted(&tenant.grants);
        if !granted.is_empty() {
            tracing::info!(tenant = %tenant.name, granted = granted.join("; "), "grants beyond the safe default");
        }
    }
    for (listener, address) in server.addresses() {
        tracing::info!(%listener, %address, "listening");
    }
    if let Some(address) = server.admin_address() {
        tracing::info!(%address, "admin: metrics on /metrics");
    }
    let signal = loop {
        match next_order() {
            Order::Stop { signal } => break signal,
            Order::Reload => match server.reload_credentials() {
                Ok(()) => tracing::info!("credentials reloaded"),
                Err(error) => {
                    tracing::error!(error = cli::chain(&error), "credentials not reloaded; the old ones stay in use");
                }
            },
        }
    };
    tracing::info!(signal, "stopping: no new connections, waiting for requests in flight");
    match server.stop() {
        Stopped::Clean => tracing::info!("stopped"),
        Stopped::CutOff(requests) => tracing::warn!(requests, "stopped at the deadline; requests were cut off"),
    }
    Ok(Outcome::Success)
}

/// What an operator should see at every start: where modules may do more than by default.
fn granted(grants: &Grants) -> Vec<String> {
    let list = |name: &str, items: &[String]| (!items.is_empty()).then(|| format!("{name} {}", items.join(", ")));
    let networks: Vec<String> = grants.networks.iter().map(ToString::to_string).collect();
    let ports: Vec<String> = grants.ports.iter().map(ToString::to_string).collect();
    let verify = [(grants.verify_chain_only, "chain-only"), (grants.verify_none, "none")];
    let verify: Vec<String> =
        verify.into_iter().filter(|(granted, _)| *granted).map(|(_, level)| level.to_owned()).collect();
    let bind_to = grants.bind_to.then(|| "bind_to".to_owned());
    let lists = [
        list("networks", &networks),
        list("ports", &ports),
        list("unix_sockets", &grants.unix_sockets),
        list("credentials", &grants.credentials),
        list("verify", &verify),
        bind_to,
    ];
    lists.into_iter().flatten().collect()
}
