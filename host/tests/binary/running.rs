//! Runs the binary as a process and talks to it.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::live::eventually;

/// Longer than any event that a test waits for takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

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

/// A proxy that runs as its own process.
pub struct Running {
    process: std::process::Child,
    /// The lines of its log, read by a thread.
    log: Receiver<String>,
    /// The log so far.
    pub output: String,
    _config: Option<tempfile::NamedTempFile>,
}

impl Running {
    /// Starts a proxy with these tables before its listener and tenant.
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

    /// The same with other tenants.
    pub fn start_tenants(tables: &str, tenants: &str) -> Running {
        let text = format!("{tables}\n[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n{tenants}");
        let config = config(&text);
        let mut running = Running::start_file("run", config.path());
        running._config = Some(config);
        running
    }

    /// The same with a configuration that outlives it. Reads the log of `run`, or the output of `dev`.
    pub fn start_file(command: &str, config: &Path) -> Running {
        Running::start_in(command, config, &[])
    }

    /// The same with these environment variables.
    pub fn start_in(command: &str, config: &Path, variables: &[(&str, &Path)]) -> Running {
        let mut running = Running::spawn(command, config, variables);
        running.expect_line("listening");
        running
    }

    /// The same, without waiting until it is ready.
    pub fn spawn(command: &str, config: &Path, variables: &[(&str, &Path)]) -> Running {
        let (output, errors) = match command {
            "dev" => (Stdio::piped(), Stdio::null()),
            _ => (Stdio::null(), Stdio::piped()),
        };
        let mut process = Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args([command, "--config", &config.display().to_string()])
            .envs(variables.iter().copied())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("the binary runs");
        let output = process.stdout.take().map(|output| Box::new(output) as Box<dyn Read + Send>);
        let errors = process.stderr.take().map(|errors| Box::new(errors) as Box<dyn Read + Send>);
        let reader = BufReader::new(output.or(errors).expect("its output"));
        let (lines, log) = channel();
        std::thread::spawn(move || {
            for line in reader.lines() {
                let Ok(line) = line else { return };
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Running { process, log, output: String::new(), _config: None }
    }

    /// The processes that are building modules for it.
    pub fn builds(&self) -> Vec<u32> {
        let processes = std::fs::read_dir("/proc").expect("processes").flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_build = |pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // `pid (name) state parent`; the name may contain anything.
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            parent == Some(self.process.id()) && String::from_utf8_lossy(&arguments).contains("\0build-module\0")
        };
        pids.filter(is_build).collect()
    }

    /// Waits until it is building a module, and returns the process.
    pub fn is_building(&self) -> u32 {
        let mut build = None;
        eventually("a build", || {
            build = self.builds().pop();
            build.is_some()
        });
        build.expect("a build")
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address_of("web")
    }

    /// The address of the listener with this name.
    pub fn address_of(&self, name: &str) -> SocketAddr {
        let mut found = self.output.lines().filter(|line| line.contains("listening") && line.contains(name));
        let address = found.next().and_then(|line| line.split([' ', '=']).find_map(|word| word.parse().ok()));
        address.unwrap_or_else(|| panic!("an address in {}", self.output))
    }

    /// The resident memory of the process, in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn signal(&self, name: &str) {
        signal(name, self.process.id());
    }

    /// The process that was last started to take its place.
    pub fn successor(&self) -> u32 {
        self.successors().next_back().unwrap_or_else(|| panic!("no successor in {}", self.output))
    }

    fn successors(&self) -> impl DoubleEndedIterator<Item = u32> {
        let pids = self.output.lines().filter_map(|line| line.split_once("the successor is loading pid="));
        pids.filter_map(|(_, pid)| pid.trim().parse().ok())
    }

    /// Waits for a line of the log that contains `expected`.
    pub fn expect_line(&mut self, expected: &str) {
        loop {
            let line = self.line().unwrap_or_else(|| panic!("`{expected}` is not in the log:\n{}", self.output));
            if line.contains(expected) {
                return;
            }
        }
    }

    /// The next line of the log. None: the log has ended.
    fn line(&mut self) -> Option<String> {
        match self.log.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.output.push_str(&line);
                self.output.push('\n');
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing new in the log for {PATIENCE:?}:\n{}", self.output),
        }
    }

    /// Waits until it exits with `code`, and returns the log.
    pub fn ends(mut self, code: i32) -> String {
        while self.line().is_some() {}
        assert_eq!(self.process.wait().expect("an exit status").code(), Some(code), "{}", self.output);
        std::mem::take(&mut self.output)
    }

    /// Kills it without warning, as a power cut would.
    pub fn kill(mut self) {
        self.process.kill().and_then(|()| self.process.wait()).expect("an exit status");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
        for pid in self.successors() {
            // The PID may belong to another process by now.
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&arguments).contains("\0--upgrade\0") {
                signal("KILL", pid);
            }
        }
    }
}

pub fn signal(name: &str, process: u32) {
    let killed = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(killed.expect("kill runs").success());
}
