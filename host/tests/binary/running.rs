//! The binary, running.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("a repository").to_owned()
}

pub fn example(name: &str) -> String {
    let path = repository().join("target/modules").join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing: run `make modules`", path.display());
    path.display().to_string()
}

pub fn config(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

/// A proxy that runs as a process of its own.
pub struct Running {
    process: std::process::Child,
    /// None: a thread reads it.
    log: Option<std::io::BufReader<std::process::ChildStderr>>,
    /// All that was read of it.
    pub said: String,
    _config: tempfile::NamedTempFile,
}

impl Running {
    /// Starts it with these tables before its listener and its tenant.
    pub fn start(tables: &str) -> Running {
        Running::start_with(tables, "")
    }

    pub fn start_with(tables: &str, after: &str) -> Running {
        let fixed = example("fixed");
        Running::start_tenants(
            tables,
            &format!("[[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n[[tenant.module]]\npath = \"{fixed}\"\n{after}"),
        )
    }

    /// The same with tenants of its own.
    pub fn start_tenants(tables: &str, tenants: &str) -> Running {
        let text = format!("{tables}\n[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n{tenants}");
        let config = config(&text);
        let mut process = Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args(["run", "--config", &config.path().display().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let log = std::io::BufReader::new(process.stderr.take().expect("its log"));
        let mut running = Running { process, log: Some(log), said: String::new(), _config: config };
        running.says("listening");
        running
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        let found = self.said.lines().filter(|line| line.contains("listener=web"));
        let address = found.filter_map(|line| line.split_once("address=")).map(|(_, address)| address.trim()).next();
        address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("an address in {}", self.said))
    }

    /// Memory that the process has now, in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    pub fn signal(&self, name: &str) {
        let killed = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(killed.expect("kill runs").success());
    }

    /// Waits for a line of the log.
    pub fn says(&mut self, expected: &str) {
        let mut line = String::new();
        while !line.contains(expected) {
            line.clear();
            let read = std::io::BufRead::read_line(self.log.as_mut().expect("the log"), &mut line).expect("a line");
            assert!(read > 0, "the log ended before it said `{expected}`");
            self.said.push_str(&line);
        }
    }

    /// Reads the log in a thread of its own, to its end.
    pub fn read_log(&mut self) -> std::thread::JoinHandle<String> {
        let mut log = self.log.take().expect("the log");
        std::thread::spawn(move || {
            let mut text = Vec::new();
            std::io::Read::read_to_end(&mut log, &mut text).expect("the log");
            String::from_utf8(text).expect("a log in UTF-8")
        })
    }

    pub fn ends(mut self, code: i32) {
        let mut rest = String::new();
        let mut log = self.log.take().expect("the log");
        std::io::Read::read_to_string(&mut log, &mut rest).expect("the rest of the log");
        assert_eq!(self.process.wait().expect("an end").code(), Some(code), "{rest}");
        assert!(rest.contains("stopped"), "{rest}");
    }
}
