//! `pointsman admin`: a client of the admin API.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use http::{Method, StatusCode};
use pointsman_rules::text::{json_pretty, printable_lines};
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{self, Code};
use crate::cli::print;
use crate::cli::reach::Reach;
use crate::cli::{Outcome, answers};

pub const HELP: &str = "\
Examples:
  pointsman admin tenants
  pointsman admin push shop router.wasm --stage canary
  pointsman admin show shop
  pointsman admin promote shop
  pointsman admin rollback shop

Exit codes:
  0  done
  1  it could not be done: the proxy cannot be reached, does not answer in time,
     or takes no orders from whoever asks
  2  wrong usage of the command line
  3  refused: the proxy's state does not allow it, there is no such tenant or version,
     or a new version does not pass";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The proxy's configuration, which says where its API is
    #[arg(short, long, value_name = "FILE", default_value = "pointsman.toml", global = true)]
    config: PathBuf,
    /// The API's Unix socket, instead of the configuration's
    #[arg(long, value_name = "PATH", global = true, conflicts_with = "address")]
    socket: Option<PathBuf>,
    /// The API's address, instead of the configuration's
    #[arg(long, value_name = "IP:PORT", global = true, requires = "token_file")]
    address: Option<SocketAddr>,
    /// A file with the token for `--address`
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// Print the API's answer as it came, for programs
    #[arg(long, global = true)]
    json: bool,
    /// How long to wait for the proxy's answer; loading a module may take minutes
    #[arg(long, value_name = "SECONDS", global = true, default_value_t = 600,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List tenants, with the version that serves each
    Tenants,
    /// Show a tenant: its versions, its candidate's trial, what was refused
    Show {
        /// A tenant's name
        #[arg(value_parser = tenant_name)]
        tenant: String,
    },
    /// Upload a module: a new version with it, if it passes every step
    Push {
        /// A tenant's name
        #[arg(value_parser = tenant_name)]
        tenant: String,
        /// The module's file
        module: PathBuf,
        /// Which of the tenant's modules it takes the place of, from 0
        #[arg(long, default_value_t = 0)]
        position: usize,
        /// The stage at which the version begins; by default as the tenant is configured
        #[arg(long)]
        stage: Option<Stage>,
        /// Percentage of clients for a canary; by default as the tenant is configured
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
        percent: Option<u32>,
    },
    /// Take a module through every step without releasing it
    Validate {
        /// A tenant's name
        #[arg(value_parser = tenant_name)]
        tenant: String,
        /// The module's file
        module: PathBuf,
        /// Which of the tenant's modules it would take the place of, from 0
        #[arg(long, default_value_t = 0)]
        position: usize,
    },
    /// Let the candidate go one stage on, or serve a larger share of the clients
    Promote {
        /// A tenant's name
        #[arg(value_parser = tenant_name)]
        tenant: String,
        /// The stage to go to; by default the next one
        #[arg(long)]
        to: Option<Goal>,
        /// Percentage of clients for a canary; by default as the tenant is configured
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
        percent: Option<u32>,
    },
    /// End the candidate's trial
    Abort {
        /// A tenant's name
        #[arg(value_parser = tenant_name)]
        tenant: String,
    },
    /// Go back to the last version that served well
    Rollback {
        /// A tenant's name
        #[arg(value_parser = tenant_name)]
        tenant: String,
        /// The version to go back to, instead of the last one that served well
        #[arg(long, value_name = "NUMBER")]
        to: Option<u64>,
    },
    /// Take no new requests for a tenant: they get 503
    Drain {
        /// A tenant's name
        #[arg(value_parser = tenant_name)]
        tenant: String,
    },
    /// Take its requests again
    Resume {
        /// A tenant's name
        #[arg(value_parser = tenant_name)]
        tenant: String,
    },
    /// List the last versions of any tenant that were refused
    Failures,
    /// Read the configuration again, as SIGHUP does
    Reload,
}

/// The stage at which a version begins.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Stage {
    /// It decides alongside the live version, without effect
    Shadow,
    /// It serves a share of the clients
    Canary,
    /// It serves all clients
    Live,
}

/// The stage to which a candidate is promoted.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Goal {
    Canary,
    Live,
}

pub fn admin(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let (method, path, body) = call(&arguments.command)?;
    let reach = match (&arguments.socket, arguments.address, &arguments.token_file) {
        (Some(socket), _, _) => Reach::Socket(socket.clone()),
        (None, Some(address), Some(file)) => Reach::with_token(address, file)?,
        (None, _, _) => Reach::of_config(&arguments.config)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let longest = Duration::from_secs(arguments.timeout);
    let (status, answer) = runtime.block_on(reach.ask(method, &path, body, longest))?;
    if !status.is_success() {
        let (message, cannot_be_done) = match api::Error::deserialize(&answer) {
            Ok(api::Error { error }) => (answers::error(&error), cannot_be_done(error.code)),
            Err(_) => (answers::unknown_error(status, &answer), is_of_access(status) || status.is_server_error()),
        };
        if cannot_be_done {
            bail!("{message}");
        }
        eprintln!("{}", printable_lines(&message));
        return Ok(Outcome::Refused);
    }
    if arguments.json {
        print::line(json_pretty(&answer));
    } else {
        print::line(printable_lines(&readable(&arguments.command, &answer)?).trim_end_matches('\n'));
    }
    let refusals = match arguments.command {
        Command::Reload => answers::refusals(&read(&answer)?),
        _ => Vec::new(),
    };
    for refusal in &refusals {
        eprintln!("{}", printable_lines(refusal));
    }
    Ok(if refusals.is_empty() { Outcome::Success } else { Outcome::Refused })
}

/// Whether the API could not answer the request, in contrast to refusing it.
fn cannot_be_done(code: Code) -> bool {
    let no_such_operation = matches!(code, Code::NotFound | Code::MethodNotAllowed);
    code.is_of_access() || no_such_operation || code.status().is_server_error()
}

/// Whether a status refuses the client, rather than the operation.
fn is_of_access(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::MISDIRECTED_REQUEST
            | StatusCode::TOO_MANY_REQUESTS
    )
}

/// Parses an answer. That of a proxy of another version may have another form.
fn read<T: DeserializeOwned>(answer: &Value) -> anyhow::Result<T> {
    T::deserialize(answer).context(concat!(
        "the proxy's answer is not of the form that this program (version ",
        env!("CARGO_PKG_VERSION"),
        ") knows: most likely the proxy runs another version; use the `pointsman` that it was started with, or `--json`"
    ))
}

/// Formats an answer for people.
fn readable(command: &Command, answer: &Value) -> anyhow::Result<String> {
    Ok(match command {
        Command::Tenants => answers::tenants(&read(answer)?),
        Command::Show { .. } => answers::tenant(&read(answer)?),
        Command::Push { tenant, .. } => answers::pushed(tenant, &read(answer)?),
        Command::Validate { tenant, .. } => answers::validated(tenant, &read(answer)?),
        Command::Promote { tenant, .. } => answers::promoted(tenant, &read(answer)?),
        Command::Abort { tenant } => answers::aborted(tenant, &read(answer)?),
        Command::Rollback { tenant, .. } => answers::rolled_back(tenant, &read(answer)?),
        Command::Drain { tenant } | Command::Resume { tenant } => answers::drained(tenant, &read(answer)?),
        Command::Failures => answers::failures(&read(answer)?),
        Command::Reload => answers::reloaded(&read(answer)?),
    })
}

/// The API request for a command.
fn call(command: &Command) -> anyhow::Result<(Method, String, Vec<u8>)> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()));
    let post = |tenant: &str, what: &str| (Method::POST, format!("/v1/tenants/{tenant}/{what}"), Vec::new());
    Ok(match command {
        Command::Tenants => (Method::GET, "/v1/tenants".to_owned(), Vec::new()),
        Command::Show { tenant } => (Method::GET, format!("/v1/tenants/{tenant}"), Vec::new()),
        Command::Push { tenant, module, position, stage, percent } => {
            let query = query([
                ("position", Some(position.to_string())),
                ("stage", stage.map(named)),
                ("percent", percent.map(|percent| percent.to_string())),
            ]);
            (Method::POST, format!("/v1/tenants/{tenant}/modules{query}"), read(module)?)
        }
        Command::Validate { tenant, module, position } => {
            (Method::POST, format!("/v1/tenants/{tenant}/validate?position={position}"), read(module)?)
        }
        Command::Promote { tenant, to, percent } => {
            let percent = percent.map(|percent| percent.to_string());
            post(tenant, &format!("promote{}", query([("to", to.map(named)), ("percent", percent)])))
        }
        Command::Abort { tenant } => post(tenant, "abort"),
        Command::Rollback { tenant, to: None } => post(tenant, "rollback"),
        Command::Rollback { tenant, to: Some(version) } => post(tenant, &format!("rollback?version={version}")),
        Command::Drain { tenant } => post(tenant, "drain"),
        Command::Resume { tenant } => post(tenant, "resume"),
        Command::Failures => (Method::GET, "/v1/failures".to_owned(), Vec::new()),
        Command::Reload => (Method::POST, "/v1/reload".to_owned(), Vec::new()),
    })
}

/// The query string of a URL, with the parameters that have a value.
fn query<const N: usize>(parameters: [(&str, Option<String>); N]) -> String {
    let pairs = parameters.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    match pairs.collect::<Vec<_>>() {
        pairs if pairs.is_empty() => String::new(),
        pairs => format!("?{}", pairs.join("&")),
    }
}

/// The name of a value on the command line, which is also its name in the API.
fn named(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Checks a tenant's name: any other character would lead to another path of the API.
fn tenant_name(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if plain && !text.is_empty() { Ok(text.to_owned()) } else { Err("a name has letters, digits, `-`, `_` and `.`") }
}
