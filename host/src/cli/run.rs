//! `pointsman run`: serves until a signal stops it.

use std::num::NonZeroI32;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::thread;

use pointsman_rules::config::{self, Config, Grants};
use pointsman_rules::text::chain;
use pointsman_wasm::module::BuildIn;
use rustix::process::Pid;

use crate::cli::reloads::Reloads;
use crate::cli::successor::Successors;
use crate::cli::{ConfigFile, Outcome, stopped_early};
use crate::log;
use crate::server::{self, Launch, Order, Server, ShutdownOutcome, Signals};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Replace the process PID, which started this one upon SIGUSR2
    #[arg(long, value_name = "PID", hide = true)]
    upgrade: Option<NonZeroI32>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    // First of all, since an unhandled signal ends the process.
    let starting = Signals::take_over()?.until_ready(stopped_early)?;
    let file = &arguments.file.config;
    let config = match config::load(file) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return Ok(Outcome::Refused);
        }
    };
    let _log = log::start(&config.log);
    let predecessor = arguments.upgrade.and_then(|pid| Pid::from_raw(pid.get()));
    let launch = Launch {
        config: config.clone(),
        file: Some(file.clone()),
        build_in: BuildIn::ChildProcess,
        dev: false,
        adapt: |_| {},
        takes_over: predecessor,
    };
    let server = match server::start(launch) {
        Ok(server) => server,
        Err(error) if error.is_refusal() => {
            eprintln!("{}", chain(&error));
            return Ok(Outcome::Refused);
        }
        Err(error) => return Err(error.into()),
    };
    // Before anybody learns that the proxy is ready, and may ask it to stop.
    let mut signals = starting.ready()?;
    let (reloads, successors) = (Reloads::start(server.control().clone())?, Successors::of(&server));
    log_beginning(&config, &server);
    tell_service_manager();
    if let Some(predecessor) = predecessor
        && let Err(error) = server::end_predecessor(predecessor)
    {
        tracing::error!(%error, "upgrade: cannot signal the previous process to end");
    }
    let signal = loop {
        match signals.next(server.on_quit()) {
            Order::Stop { signal } => break signal,
            Order::Reload => reloads.ask(),
            Order::ReopenLogs => server.reopen_logs(),
            Order::Upgrade => successors.start(),
            Order::HandOver => hand_over(&server),
        }
    };
    successors.end();
    tracing::info!(signal, "stopping: no new connections, waiting for requests in flight");
    match server.stop() {
        ShutdownOutcome::Clean => tracing::info!("stopped"),
        ShutdownOutcome::CutOff(requests) => tracing::warn!(requests, "stopped at the deadline; requests were cut off"),
    }
    Ok(Outcome::Success)
}

/// Logs what an operator should see at every start: grants beyond the defaults, and where the proxy listens.
fn log_beginning(config: &Config, server: &Server) {
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
    if let Some(socket) = config.admin.as_ref().and_then(|admin| admin.socket.as_ref()) {
        tracing::info!(socket = %socket.display(), "admin: see `pointsman admin`");
    }
}

/// Gives the listeners to the successor, which ends this process with SIGTERM once it serves.
fn hand_over(server: &Server) {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(error = chain(error), "upgrade: the listeners were not handed over; this process continues");
    };
    let listeners = match server.hand_over() {
        Ok(listeners) => listeners,
        Err(error) => return failed(&error),
    };
    // On its own thread: if nobody takes them, `send` waits for some seconds, and signals would wait as well.
    let spawned = thread::Builder::new().name("hand-over".to_owned()).spawn(move || match listeners.send() {
        Ok(()) => tracing::info!("upgrade: the successor has the listeners too"),
        Err(error) => failed(&error),
    });
    if let Err(error) = spawned {
        failed(&error);
    }
}

/// Tells systemd that this process serves, and that it is the main one now.
fn tell_service_manager() {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let notified = || {
        let notify = UnixDatagram::unbound()?;
        let message = format!("READY=1\nMAINPID={}\n", std::process::id());
        match socket.to_string_lossy().strip_prefix('@') {
            Some(name) => {
                let address = SocketAddr::from_abstract_name(name)?;
                notify.send_to_addr(message.as_bytes(), &address)
            }
            None => notify.send_to(message.as_bytes(), &socket),
        }
    };
    let notified: std::io::Result<usize> = notified();
    if let Err(error) = notified {
        tracing::warn!(%error, "cannot notify the service manager that the proxy is ready (NOTIFY_SOCKET)");
    }
}

/// The grants of a tenant beyond the defaults, which an operator should see at every start.
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
