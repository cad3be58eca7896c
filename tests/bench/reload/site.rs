//! A folder with a configuration and a module, an upstream, and the proxy that runs on them.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pointsman_tests::{Client, modules};
use tempfile::TempDir;

use crate::upstream;

pub struct Site {
    folder: TempDir,
    proxy: Child,
    pub address: SocketAddr,
    admin: SocketAddr,
}

/// Longer than any event that it waits for takes.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn module(name: &str) -> PathBuf {
    modules::example(name)
}

/// The name of a version of the module `versioned`.
pub fn version_of(number: u64) -> String {
    format!("v{number:08}")
}

/// The bytes of that version.
fn versioned(version: &str) -> Vec<u8> {
    const NAME: &[u8] = b"version-a";
    assert_eq!(version.len(), NAME.len());
    let mut bytes = std::fs::read(module("versioned")).expect("the module");
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(NAME)).collect();
    assert!(!places.is_empty(), "the module does not have its name in its bytes");
    for at in places {
        bytes[at..at + NAME.len()].copy_from_slice(version.as_bytes());
    }
    bytes
}

impl Site {
    /// With the module `versioned`, and these keys in `[proxy]` and in `[tenant.limits]`.
    pub async fn start(proxy: &str, limits: &str) -> Site {
        let upstream = upstream::start().await;
        let closed = pointsman_tests::Upstream::closed_port();
        let settings = format!("upstream = \"{upstream}\"\nclosed_port = \"{}\"", closed.port());
        Site::of(&versioned(&version_of(0)), proxy, limits, &settings)
    }

    /// With a module that needs no configuration.
    pub fn of_module(module: &[u8]) -> Site {
        Site::of(module, "", "", "")
    }

    /// With the module `table`, and this number of routes, of which one leads somewhere.
    pub async fn table(module: &[u8], routes: usize) -> Site {
        let upstream = upstream::start().await;
        let routes = (1..routes).map(|number| format!("\"site-{number}.example/shop\" = \"1.1.1.7:80\"\n"));
        let settings =
            format!("[tenant.module.config.routes]\n\"bench.test\" = \"{upstream}\"\n{}", routes.collect::<String>());
        let limits = "configure_ms = 10_000\ndecision_ms = 1_000\nmemory_mib = 256";
        Site::of(module, "", limits, &settings)
    }

    fn of(module: &[u8], proxy: &str, limits: &str, settings: &str) -> Site {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("router.wasm"), module).expect("the module");
        let settings = match settings.starts_with('[') {
            true => settings.to_owned(),
            false => format!("[tenant.module.config]\n{settings}"),
        };
        let config = format!(
            "[proxy]\n{proxy}\n[log]\naccess = \"off\"\n[admin]\naddress = \"127.0.0.1:0\"\n\
             [[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n\
             [[tenant]]\nname = \"bench\"\nhostnames = [\"*\"]\n[[tenant.module]]\npath = \"router.wasm\"\n{settings}\n\
             [tenant.grants]\nnetworks = [\"127.0.0.0/8\"]\n[tenant.limits]\n{limits}\n"
        );
        std::fs::write(folder.path().join("pointsman.toml"), config).expect("the configuration");
        Site::run(folder)
    }

    fn run(folder: TempDir) -> Site {
        let binary = modules::repository().join("target/release/pointsman");
        let mut proxy = Command::new(&binary)
            .args(["run", "--config", &folder.path().join("pointsman.toml").display().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let mut lines = BufReader::new(proxy.stderr.take().expect("its log")).lines();
        let (mut address, mut admin) = (None, None);
        while address.is_none() || admin.is_none() {
            let line = lines.next().expect("it starts").expect("text");
            let told = line.split_once("address=").and_then(|(_, address)| address.trim().parse().ok());
            match line.contains("listener=web") {
                true => address = address.or(told),
                false => admin = admin.or(told),
            }
        }
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok).filter(|line| line.contains(" ERROR ") || line.contains(" WARN ")) {
                eprintln!("{line}");
            }
        });
        Site { folder, proxy, address: address.expect("an address"), admin: admin.expect("an address") }
    }

    /// Ends the proxy and starts another on the same folder.
    pub fn restart(mut self) -> Site {
        let ended = Command::new("kill").arg(self.proxy.id().to_string()).status().expect("kill runs");
        assert!(ended.success() && self.proxy.wait().expect("it ends").success());
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"));
        drop(self);
        Site::run(folder)
    }

    /// Writes a version next to the live one.
    pub fn beside(&self, version: &str) -> PathBuf {
        self.beside_bytes(&versioned(version))
    }

    pub fn beside_bytes(&self, bytes: &[u8]) -> PathBuf {
        let new = self.folder.path().join("router.wasm.new");
        std::fs::write(&new, bytes).expect("the module is written");
        new
    }

    /// Replaces the module's file.
    pub fn rename(&self, new: &Path) {
        std::fs::rename(new, self.folder.path().join("router.wasm")).expect("renamed");
    }

    pub fn replace(&self, version: &str) {
        self.rename(&self.beside(version));
    }

    /// Waits until the version of this number is live.
    pub async fn serves(&self, number: u64) {
        let begin = Instant::now();
        loop {
            let live = self.metric("pointsman_live_version{tenant=\"bench\"}").await;
            if live == number as f64 {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "version {number} is not live, but {live}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn mean_decision(&self) -> f64 {
        let of =
            async |what: &str| self.metric(&format!("pointsman_decision_seconds_{what}{{tenant=\"bench\"}}")).await;
        of("sum").await / of("count").await
    }

    async fn metric(&self, series: &str) -> f64 {
        let reply = Client::http1(self.admin).await.get("http://localhost/metrics").await;
        let line = reply.body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series}")).parse().expect("a number")
    }

    /// Resident memory in MiB, mappings, descriptors.
    pub fn footprint(&self) -> (f64, usize, usize) {
        let proc = PathBuf::from(format!("/proc/{}", self.proxy.id()));
        let status = std::fs::read_to_string(proc.join("status")).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        let mappings = std::fs::read_to_string(proc.join("maps")).expect("its mappings").lines().count();
        (kib / 1024.0, mappings, std::fs::read_dir(proc.join("fd")).expect("its descriptors").count())
    }

    /// Files in a folder below.
    pub fn files(&self, folder: &str) -> usize {
        std::fs::read_dir(self.folder.path().join(folder)).expect("a folder").count()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It has ended, if it was restarted.
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

/// The same core module with an additional global that no snapshot can hold.
pub fn without_snapshot(module: &[u8]) -> Vec<u8> {
    const GLOBALS: u8 = 6;
    /// `(global (mut v128) (v128.const ...))`
    const GLOBAL: [u8; 21] = [0x7b, 1, 0xfd, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b];
    let (mut out, mut rest) = (module[..8].to_vec(), &module[8..]);
    while let [id, after @ ..] = rest {
        let (size, length) = leb128(after);
        let body = &after[length..length + size];
        out.push(*id);
        if *id == GLOBALS {
            assert!(body[0] < 127, "the count of globals stays one byte");
            let globals = [&[body[0] + 1], &body[1..], &GLOBAL].concat();
            assert!(globals.len() < 128, "so does the size of the section");
            out.push(globals.len() as u8);
            out.extend(globals);
        } else {
            out.extend(&after[..length + size]);
        }
        rest = &after[length + size..];
    }
    out
}

/// The number, and the bytes that it takes.
fn leb128(bytes: &[u8]) -> (usize, usize) {
    let length = bytes.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let number = bytes[..length].iter().rev().fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f));
    (number, length)
}
