//! Real programs as upstreams and proxies: each runs on loopback as long as it is held.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::certs::{Authority, Leaf};
use crate::modules::repository;
use crate::upstream::Upstream;
use crate::wait::eventually;

/// A program that is running.
pub struct Part {
    process: Child,
    /// The folder of its files.
    _folder: TempDir,
    address: SocketAddr,
}

impl Part {
    /// nginx with this `server` block, in which `ADDRESS` is replaced with the address to listen on. `server.pem`
    /// and `ca.pem` are in its folder.
    pub async fn nginx(server: &str, leaf: &Leaf, clients: &Authority) -> Part {
        let (folder, address) = (TempDir::new().expect("a folder"), Upstream::closed_port());
        write(&folder, "server.pem", &format!("{}{}", leaf.certificate, leaf.key));
        write(&folder, "ca.pem", clients.pem());
        let server = server.replace("ADDRESS", &address.to_string());
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path temp;"));
        let conf = format!(
            "daemon off; worker_processes 1; pid nginx.pid; error_log stderr error; events {{}}\n\
             http {{ access_log off; {} server {{ {server} }} }}",
            paths.concat()
        );
        write(&folder, "nginx.conf", &conf);
        let path = folder.path().display().to_string();
        Part::start(folder, address, "nginx", &["-p", &path, "-e", "stderr", "-c", "nginx.conf"]).await
    }

    /// tinyproxy, which opens tunnels to any port of this machine.
    pub async fn tinyproxy(more: &str) -> Part {
        let (folder, address) = (TempDir::new().expect("a folder"), Upstream::closed_port());
        let conf = format!("Port {}\nListen {}\nTimeout 60\nLogLevel Error\n{more}\n", address.port(), address.ip());
        write(&folder, "tinyproxy.conf", &conf);
        let path = folder.path().join("tinyproxy.conf").display().to_string();
        Part::start(folder, address, "tinyproxy", &["-d", "-c", &path]).await
    }

    /// `openssl s_server` with this certificate, which answers HTTP requests with a page about the connection.
    pub async fn s_server(leaf: &Leaf, more: &[&str]) -> Part {
        let (folder, address) = (TempDir::new().expect("a folder"), Upstream::closed_port());
        write(&folder, "server.pem", &format!("{}{}", leaf.certificate, leaf.key));
        let (accept, path) = (address.to_string(), folder.path().join("server.pem").display().to_string());
        let arguments = [&["s_server", "-quiet", "-www", "-accept", &accept, "-cert", &path], more].concat();
        Part::start(folder, address, "openssl", &arguments).await
    }

    /// The gRPC server in `tests/parts`.
    pub fn grpc_server() -> Part {
        let mut process =
            python("grpc_server.py", &[]).stdout(Stdio::piped()).spawn().unwrap_or_else(missing("python3"));
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        output.read_line(&mut line).expect("a line");
        let port: u16 =
            line.trim().parse().unwrap_or_else(|_| panic!("no port: is python3-grpcio there? `make setup`"));
        Part { process, _folder: TempDir::new().expect("a folder"), address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    async fn start(folder: TempDir, address: SocketAddr, program: &str, arguments: &[&str]) -> Part {
        let mut process = Command::new(program)
            .args(arguments)
            .env("PATH", with_sbin())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(missing(program));
        eventually(&format!("{program} on {address}"), || {
            let ended = process.try_wait().expect("its state");
            assert!(ended.is_none(), "{program} ended: {ended:?}");
            std::net::TcpStream::connect(address).ok()
        })
        .await;
        Part { process, _folder: folder, address }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Not SIGKILL: nginx would leave its worker running. It may have ended already.
        let _ = Command::new("kill").arg(self.process.id().to_string()).stderr(Stdio::null()).status();
        let _ = self.process.wait();
    }
}

/// A script in `tests/parts`, run by Debian's Python: any other one in the path lacks Debian's packages.
pub fn python(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(repository().join("tests/parts").join(script)).args(arguments).stdin(Stdio::piped());
    command
}

fn missing<T>(program: &str) -> impl FnOnce(std::io::Error) -> T {
    move |error| panic!("{program} cannot be run ({error}): run `make setup`")
}

/// Debian installs servers there, outside an ordinary user's path.
fn with_sbin() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

fn write(folder: &TempDir, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).expect("a file");
}
