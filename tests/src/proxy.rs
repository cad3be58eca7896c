//! A proxy in the test's own process, configured as a user would do it: with TOML and module files.

use std::fmt::{Display, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pointsman::api::Changes;
use pointsman::control::Control;
use pointsman::server::{self, Launch, Server, ShutdownOutcome};
use pointsman_rules::config;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::certs::{Authority, Leaf};
use crate::client::{Client, Reply};
use crate::wait::eventually;

/// The name of the configuration file.
const CONFIG: &str = "pointsman.toml";

/// A tenant to be configured.
pub struct Tenant {
    name: String,
    hostnames: Vec<String>,
    keys: String,
    modules: Vec<(PathBuf, String)>,
    tables: String,
    confined: bool,
    warm: &'static str,
}

impl Tenant {
    /// A tenant with the hostname `<name>.test`.
    pub fn new(name: &str) -> Tenant {
        Tenant {
            name: name.to_owned(),
            hostnames: vec![format!("{name}.test")],
            keys: String::new(),
            modules: Vec::new(),
            tables: String::new(),
            confined: false,
            warm: "auto",
        }
    }

    pub fn named(mut self, name: &str) -> Tenant {
        self.name = name.to_owned();
        self
    }

    pub fn hostnames(mut self, hostnames: &[&str]) -> Tenant {
        self.hostnames = hostnames.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Adds keys to `[[tenant]]`, in TOML.
    pub fn keys(mut self, toml: &str) -> Tenant {
        self.keys.push_str(toml);
        self.keys.push('\n');
        self
    }

    /// Adds a module; `config` is TOML, the lines of its `config` table.
    pub fn module(mut self, path: impl AsRef<Path>, config: &str) -> Tenant {
        self.modules.push((path.as_ref().to_owned(), config.to_owned()));
        self
    }

    /// Sets `warm` for its modules.
    pub fn warm(mut self, warm: &'static str) -> Tenant {
        self.warm = warm;
        self
    }

    /// Removes the grant that allows connections to this machine.
    pub fn confined(mut self) -> Tenant {
        self.confined = true;
        self
    }

    /// Adds a table in TOML, such as `[tenant.limits]` with its keys.
    pub fn table(mut self, toml: &str) -> Tenant {
        self.tables.push_str(toml);
        self.tables.push('\n');
        self
    }

    fn toml(&self) -> String {
        let mut toml = format!("[[tenant]]\nname = {:?}\nhostnames = {:?}\n{}", self.name, self.hostnames, self.keys);
        for (path, config) in &self.modules {
            let warm = self.warm;
            let _ =
                writeln!(toml, "[[tenant.module]]\npath = {path:?}\nwarm = {warm:?}\n[tenant.module.config]\n{config}");
        }
        const GRANTS: &str = "[tenant.grants]\n";
        /// The networks in which the fake upstreams are.
        const HERE: &str = "[tenant.grants]\nnetworks = [\"127.0.0.0/8\", \"::1\"]\n";
        match self.tables.contains(GRANTS) {
            _ if self.confined => toml + &self.tables,
            true => toml + &self.tables.replacen(GRANTS, HERE, 1),
            false => toml + &self.tables + HERE,
        }
    }
}

/// A proxy to be started.
pub struct Builder {
    tenants: Vec<Tenant>,
    listener: String,
    proxy: String,
    threads: usize,
    tls: Option<Leaf>,
    tls_keys: String,
    trusted: Option<String>,
    credentials: String,
    resolver: String,
    files: Vec<(String, String)>,
    admin: String,
}

/// A running proxy. Its listener `plain` speaks HTTP/1.1 and HTTP/2 without TLS, `tls` (if added) both with TLS.
pub struct Proxy {
    server: Option<Server>,
    directory: TempDir,
}

impl Proxy {
    pub fn with(tenant: Tenant) -> Builder {
        Builder {
            tenants: vec![tenant],
            listener: String::new(),
            proxy: String::new(),
            threads: 2,
            tls: None,
            tls_keys: String::new(),
            trusted: None,
            credentials: String::new(),
            resolver: String::new(),
            files: Vec::new(),
            admin: String::new(),
        }
    }

    /// The address of a listener.
    pub fn address_of(&self, listener: &str) -> SocketAddr {
        let server = self.server.as_ref().expect("a running server");
        let found = server.addresses().find(|(name, _)| *name == listener);
        found.unwrap_or_else(|| panic!("a listener `{listener}`")).1
    }

    pub fn address(&self) -> SocketAddr {
        self.address_of("plain")
    }

    pub fn admin_address(&self) -> SocketAddr {
        self.server.as_ref().and_then(Server::admin_address).expect("an admin listener")
    }

    /// The value of a metric, by its name and labels as `/metrics` prints them; 0 if it is absent.
    pub async fn metric(&self, series: &str) -> f64 {
        let reply = Client::http1(self.admin_address()).await.get("http://localhost/metrics").await;
        assert_eq!(reply.status, 200);
        let line = reply.body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// One GET request on its own connection, HTTP/1.1 without TLS.
    pub async fn get(&self, url: &str) -> Reply {
        self.client().await.get(url).await
    }

    /// `Client::order` on its own connection.
    pub async fn order(&self, order: impl Display) -> Reply {
        self.client().await.order(order).await
    }

    pub async fn client(&self) -> Client {
        Client::http1(self.address()).await
    }

    /// A raw connection.
    pub async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.expect("a connection")
    }

    /// Waits until the access log has this many lines, and returns them.
    pub async fn log(&self, lines: usize) -> Vec<Value> {
        let path = self.directory.path().join("access.log");
        eventually(&format!("{lines} lines in the access log"), || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let parsed: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            (parsed.len() >= lines).then_some(parsed)
        })
        .await
    }

    /// Replaces the files of a client certificate; those of the listener `tls` are called `server`.
    pub fn exchange(&self, name: &str, leaf: &Leaf) {
        for (ending, text) in [("pem", &leaf.certificate), ("key", &leaf.key)] {
            std::fs::write(self.directory.path().join(format!("{name}.{ending}")), text).expect("a file");
        }
    }

    /// The part of it that may change while it serves.
    pub fn control(&self) -> Arc<Control> {
        self.server.as_ref().expect("a running server").control().clone()
    }

    /// Reads the configuration again as SIGHUP does. The error is the text that the log would contain.
    pub async fn reload(&self) -> Result<Changes, String> {
        let control = self.control();
        let reloaded = tokio::task::spawn_blocking(move || control.reload()).await.expect("a reload");
        reloaded.map_err(|error| error.to_string())
    }

    /// The folder of the configuration.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// The configuration, to be changed and reloaded.
    pub fn config_file(&self) -> PathBuf {
        self.folder().join(CONFIG)
    }

    /// Stops as SIGTERM does, and returns the result.
    pub async fn stop(mut self) -> ShutdownOutcome {
        let server = self.server.take().expect("a running server");
        tokio::task::spawn_blocking(|| server.stop()).await.expect("no panic")
    }
}

impl Builder {
    pub fn and(mut self, tenant: Tenant) -> Builder {
        self.tenants.push(tenant);
        self
    }

    /// Adds keys to the listeners, in TOML.
    pub fn listener(mut self, toml: &str) -> Builder {
        self.listener.push_str(toml);
        self.listener.push('\n');
        self
    }

    /// Adds keys to `[proxy]`, in TOML.
    pub fn proxy(mut self, toml: &str) -> Builder {
        self.proxy.push_str(toml);
        self.proxy.push('\n');
        self
    }

    /// Serves with this number of threads instead of two.
    pub fn threads(mut self, threads: usize) -> Builder {
        self.threads = threads;
        self
    }

    /// Adds keys to `[admin]`, in TOML.
    pub fn admin(mut self, toml: &str) -> Builder {
        self.admin.push_str(toml);
        self.admin.push('\n');
        self
    }

    /// Adds keys to `[resolver]`, in TOML.
    pub fn resolver(mut self, toml: &str) -> Builder {
        self.resolver.push_str(toml);
        self.resolver.push('\n');
        self
    }

    /// Adds a listener with TLS.
    pub fn tls(mut self, leaf: &Leaf) -> Builder {
        self.tls = Some(leaf.clone());
        self
    }

    /// Adds keys to its `[listener.tls]`, in TOML.
    pub fn tls_keys(mut self, toml: &str) -> Builder {
        self.tls_keys.push_str(toml);
        self.tls_keys.push('\n');
        self
    }

    /// Trusts upstreams whose certificates this authority has signed.
    pub fn trusting(mut self, authority: &Authority) -> Builder {
        self.trusted = Some(authority.pem().to_owned());
        self
    }

    /// Adds a file next to the configuration.
    pub fn file(mut self, name: &str, text: &str) -> Builder {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Defines trust roots that modules may name.
    pub fn ca(mut self, name: &str, authority: &Authority) -> Builder {
        let _ = writeln!(self.credentials, "[[ca]]\nname = \"{name}\"\nfile = \"{name}.pem\"");
        self.files.push((format!("{name}.pem"), authority.pem().to_owned()));
        self
    }

    /// Defines a client certificate that modules may name.
    pub fn client_cert(mut self, name: &str, leaf: &Leaf) -> Builder {
        let files = format!("certificate = \"{name}.pem\"\nkey = \"{name}.key\"");
        let _ = writeln!(self.credentials, "[[client_cert]]\nname = \"{name}\"\n{files}");
        self.files.push((format!("{name}.pem"), leaf.certificate.clone()));
        self.files.push((format!("{name}.key"), leaf.key.clone()));
        self
    }

    /// The configuration as a user would write it.
    fn toml(&self, directory: &Path) -> String {
        let mut toml = format!("[proxy]\nthreads = {}\nshutdown_timeout_ms = 5000\n{}", self.threads, self.proxy);
        if let Some(pem) = &self.trusted {
            std::fs::write(directory.join("trusted.pem"), pem).expect("a file");
            toml.push_str("ca_file = \"trusted.pem\"\n");
        }
        let _ = writeln!(toml, "[admin]\naddress = \"127.0.0.1:0\"\n{}", self.admin);
        toml.push_str("[log]\nformat = \"json\"\naccess = { file = \"access.log\" }\n");
        let _ = writeln!(toml, "[resolver]\n{}", self.resolver);
        let _ = writeln!(toml, "[[listener]]\nname = \"plain\"\naddress = \"127.0.0.1:0\"\n{}", self.listener);
        if let Some(leaf) = &self.tls {
            std::fs::write(directory.join("server.pem"), &leaf.certificate).expect("a file");
            std::fs::write(directory.join("server.key"), &leaf.key).expect("a file");
            let _ = writeln!(toml, "[[listener]]\nname = \"tls\"\naddress = \"127.0.0.1:0\"\n{}", self.listener);
            toml.push_str("[listener.tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n");
            toml.push_str(&self.tls_keys);
        }
        for (name, text) in &self.files {
            std::fs::write(directory.join(name), text).expect("a file");
        }
        toml.push_str(&self.credentials);
        for tenant in &self.tenants {
            toml.push_str(&tenant.toml());
        }
        toml
    }

    /// # Panics
    /// If the configuration or a module is refused.
    pub async fn start(self) -> Proxy {
        self.try_start().await.unwrap_or_else(|message| panic!("the proxy starts: {message}"))
    }

    /// Starts the proxy. The error is the text that a user would see.
    pub async fn try_start(self) -> Result<Proxy, String> {
        let directory = TempDir::new().expect("a directory");
        let toml = self.toml(directory.path());
        let file = directory.path().join(CONFIG);
        std::fs::write(&file, &toml).expect("a file");
        let config = config::load(&file).map_err(|errors| format!("{errors}\n{toml}"))?;
        let launch = Launch { file: Some(file), ..Launch::new(config) };
        // Compiling takes a while: not on the threads that serve the fake upstreams.
        let started = tokio::task::spawn_blocking(move || server::start(launch)).await.expect("a start");
        match started {
            Ok(server) => Ok(Proxy { server: Some(server), directory }),
            Err(error) => Err(error.to_string()),
        }
    }
}
