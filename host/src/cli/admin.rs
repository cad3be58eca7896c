//! `pointsman admin`: the admin API from a shell.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::cli::Outcome;
use crate::config::{self, AdminConfig};

pub const EXAMPLES: &str = "\
Examples:
  pointsman admin tenants
  pointsman admin push shop router.wasm --stage canary
  pointsman admin show shop
  pointsman admin promote shop
  pointsman admin rollback shop";

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
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List tenants, with the version that serves each
    Tenants,
    /// Show a tenant: its versions, its candidate's trial, what was refused
    Show { tenant: String },
    /// Upload a module: a new version with it, if it passes every step
    Push {
        tenant: String,
        module: PathBuf,
        /// Which of the tenant's modules it takes the place of, from 0
        #[arg(long, default_value_t = 0)]
        position: usize,
        /// Where the version begins: shadow, canary or live; by default as the tenant is configured
        #[arg(long)]
        stage: Option<String>,
    },
    /// Take a module through every step, and let nothing come of it
    Validate {
        tenant: String,
        module: PathBuf,
        /// Which of the tenant's modules it would take the place of, from 0
        #[arg(long, default_value_t = 0)]
        position: usize,
    },
    /// Let the candidate go one stage on
    Promote {
        tenant: String,
        /// Or as far as this: canary or live
        #[arg(long)]
        to: Option<String>,
    },
    /// End the candidate's trial
    Abort { tenant: String },
    /// Go back to the last version that served well
    Rollback {
        tenant: String,
        /// Or to the version of this number
        #[arg(long, value_name = "NUMBER")]
        to: Option<u64>,
    },
    /// Take no new requests for a tenant: they get 503
    Drain { tenant: String },
    /// Take its requests again
    Resume { tenant: String },
    /// List the last versions of any tenant that were refused
    Failures,
    /// Read the configuration again, as SIGHUP does
    Reload,
}

pub fn admin(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let (method, path, body) = call(&arguments.command)?;
    let reach = Reach::new(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (status, answer) = runtime.block_on(reach.ask(method, &path, body))?;
    if status.is_success() {
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(Outcome::Success);
    }
    let part = |name: &str| answer.pointer(&format!("/error/{name}")).and_then(Value::as_str).unwrap_or_default();
    let step = match part("step") {
        "" => String::new(),
        step => format!(" at the step `{step}`"),
    };
    eprintln!("{}{step}: {}", part("code"), part("message"));
    Ok(Outcome::Refused)
}

/// What a command asks of the API.
fn call(command: &Command) -> anyhow::Result<(Method, String, Vec<u8>)> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()));
    let post = |tenant: &str, what: &str| (Method::POST, format!("/v1/tenants/{tenant}/{what}"), Vec::new());
    Ok(match command {
        Command::Tenants => (Method::GET, "/v1/tenants".to_owned(), Vec::new()),
        Command::Show { tenant } => (Method::GET, format!("/v1/tenants/{tenant}"), Vec::new()),
        Command::Push { tenant, module, position, stage } => {
            let stage = stage.as_ref().map(|stage| format!("&stage={stage}")).unwrap_or_default();
            (Method::POST, format!("/v1/tenants/{tenant}/modules?position={position}{stage}"), read(module)?)
        }
        Command::Validate { tenant, module, position } => {
            (Method::POST, format!("/v1/tenants/{tenant}/validate?position={position}"), read(module)?)
        }
        Command::Promote { tenant, to: None } => post(tenant, "promote"),
        Command::Promote { tenant, to: Some(to) } => post(tenant, &format!("promote?to={to}")),
        Command::Abort { tenant } => post(tenant, "abort"),
        Command::Rollback { tenant, to: None } => post(tenant, "rollback"),
        Command::Rollback { tenant, to: Some(version) } => post(tenant, &format!("rollback?version={version}")),
        Command::Drain { tenant } => post(tenant, "drain"),
        Command::Resume { tenant } => post(tenant, "resume"),
        Command::Failures => (Method::GET, "/v1/failures".to_owned(), Vec::new()),
        Command::Reload => (Method::POST, "/v1/reload".to_owned(), Vec::new()),
    })
}

/// How the API is reached.
enum Reach {
    Socket(PathBuf),
    Address(SocketAddr, String),
}

impl Reach {
    fn new(arguments: &Arguments) -> anyhow::Result<Reach> {
        let token = |path: &Path| {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            anyhow::Ok(text.trim().to_owned())
        };
        match (&arguments.socket, arguments.address, &arguments.token_file) {
            (Some(socket), _, _) => return Ok(Reach::Socket(socket.clone())),
            (None, Some(address), Some(file)) => return Ok(Reach::Address(address, token(file)?)),
            (None, _, _) => {}
        }
        let file = &arguments.config;
        let config = match config::load(file) {
            Ok(config) => config,
            Err(errors) => bail!("{errors}\nwith a configuration that passes, or with --socket, the API can be found"),
        };
        match config.admin {
            Some(AdminConfig { socket: Some(socket), .. }) => Ok(Reach::Socket(socket)),
            Some(AdminConfig { address: Some(address), token_file: Some(file), .. }) => {
                Ok(Reach::Address(address, token(&file)?))
            }
            Some(_) => bail!("{}: [admin] has neither `socket` nor `token_file`: there is no API", file.display()),
            None => bail!("{}: there is no [admin], so the proxy has no API: add the table", file.display()),
        }
    }

    async fn ask(self, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<(StatusCode, Value)> {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "pointsman");
        match self {
            Reach::Socket(socket) => {
                let stream = UnixStream::connect(&socket).await;
                let stream = stream.with_context(|| format!("cannot reach the proxy at `{}`", socket.display()))?;
                send(stream, request.body(Full::new(body.into()))?).await
            }
            Reach::Address(address, token) => {
                let stream = TcpStream::connect(address).await;
                let stream = stream.with_context(|| format!("cannot reach the proxy at `{address}`"))?;
                let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
                send(stream, request.body(Full::new(body.into()))?).await
            }
        }
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Value)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.context("the proxy did not answer")?;
    let status = response.status();
    let body = response.into_body().collect().await.context("the proxy did not answer to the end")?.to_bytes();
    let answer = serde_json::from_slice(&body).with_context(|| format!("not the admin API: it answered {status}"))?;
    Ok((status, answer))
}
