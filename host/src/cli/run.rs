//! `pointsman run`

use std::num::NonZeroI32;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::cli::{ConfigFile, Outcome};
use crate::config::Grants;
use crate::module::BuildIn;
use crate::server::{self, Launch, Order, StartError, Stopped};
use crate::{config, log};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Take the listeners of the running process PID over, which ends when its requests have
    #[arg(long, value_name = "PID")]
    upgrade: Option<NonZeroI32>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let file = &arguments.file.config;
    let config = match config::load(file) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return Ok(Outcome::Refused);
        }
    };
    let _log = log::start(&config.log);
    let launch = Launch {
        config: config.clone(),
        file: Some(file.clone()),
        build_in: BuildIn::ChildProcess,
        dev: false,
        adapt: |_| {},
        takes_over: arguments.upgrade.and_then(|pid| Pid::from_raw(pid.get())),
    };
    let server = match server::start(launch) {
        Ok(server) => server,
        Err(error @ (StartError::Module { .. } | StartError::Tenant { .. } | StartError::Release { .. })) => {
            eprintln!("{}", crate::text::chain(&error));
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
    if let Some(socket) = config.admin.as_ref().and_then(|admin| admin.socket.as_ref()) {
        tracing::info!(socket = %socket.display(), "admin: see `pointsman admin`");
    }
    tell_service_manager();
    if let Some(predecessor) = arguments.upgrade.and_then(|pid| Pid::from_raw(pid.get()))
        && let Err(error) = kill_process(predecessor, Signal::TERM)
    {
        tracing::error!(%error, "upgrade: the process before this one cannot be told to end");
    }
    let signal = loop {
        match next_order() {
            Order::Stop { signal } => break signal,
            // What comes of it is logged.
            Order::Reload => _ = server.control().reload(),
            Order::Upgrade => start_successor(),
            // It ends this process with SIGTERM once it serves.
            Order::HandOver => match server.hand_over() {
                Ok(()) => tracing::info!("upgrade: the successor has the listeners too"),
                Err(error) => tracing::error!(%error, "the listeners were not handed over; this process goes on"),
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

/// Starts this program anew, as it is on disk now, to take this process's place.
fn start_successor() {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_else(|| "pointsman".into());
    // Without what told this process whose place to take.
    let mut own = Vec::new();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--upgrade" {
            arguments.next();
        } else if !text.starts_with("--upgrade=") {
            own.push(argument);
        }
    }
    let pid = std::process::id().to_string();
    match Command::new(&program).args(own).args(["--upgrade", &pid]).spawn() {
        Ok(mut successor) => {
            tracing::info!(pid = successor.id(), "upgrade: the successor is loading");
            let waits = std::thread::Builder::new().name("successor".to_owned()).spawn(move || {
                if let Ok(status) = successor.wait() {
                    tracing::error!(%status, "upgrade: the successor ended; this process goes on");
                }
            });
            if let Err(error) = waits {
                tracing::error!(%error, "nobody waits for the successor");
            }
        }
        Err(error) => tracing::error!(%error, program = %program.display(), "upgrade: the successor cannot be started"),
    }
}

/// Tells systemd that this process serves, and that it is the main one now.
fn tell_service_manager() {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = || {
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
    let told: std::io::Result<usize> = told();
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager cannot be told that the proxy serves (NOTIFY_SOCKET)");
    }
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
