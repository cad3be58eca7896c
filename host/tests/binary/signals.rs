//! Signals at any time: before the proxy is ready, and to its child processes as well.

use std::io::Write as _;

use crate::heavy::heavy;
use crate::live::{Site, eventually, get};
use crate::running::{Running, signal};
use crate::upgrade::Slow;

/// A site whose module takes some seconds to build.
fn heavy_site(functions: u32) -> Site {
    let site = Site::new();
    std::fs::write(site.path("router.wasm"), heavy(functions)).expect("a module");
    site
}

fn spawn(site: &Site) -> Running {
    Running::spawn("run", &site.path("pointsman.toml"), &[])
}

#[test]
fn signals_during_the_first_build_take_effect_when_the_proxy_is_ready() {
    let site = heavy_site(100);
    let mut proxy = spawn(&site);
    proxy.is_building();
    for name in ["HUP", "USR1", "HUP"] {
        proxy.signal(name);
    }
    proxy.expect_line("listening");
    proxy.expect_line("the access log is not a file");
    // The reload runs concurrently with the loop that handles signals.
    if !proxy.output.contains("configuration reloaded") {
        proxy.expect_line("configuration reloaded");
    }
    assert_eq!(get(proxy.address()).1, "fixed");
    proxy.signal("TERM");
    proxy.ends(0);
}

#[test]
fn upgrade_requested_before_the_proxy_is_ready_happens_afterwards() {
    let site = Site::new();
    let slow = Slow::new(&site);
    let mut proxy = spawn(&site);
    let mut reader = slow.is_read();
    proxy.signal("USR2");
    proxy.signal("HUP");
    reader.write_all(slow.text.as_bytes()).expect("written");
    slow.end();
    drop(reader);
    proxy.expect_line("listening");
    proxy.expect_line("upgrade: the successor is loading");
    proxy.expect_line("stopped");
    assert_eq!(get(proxy.address()).1, "fixed");
    signal("TERM", proxy.successor());
    proxy.ends(0);
}

#[test]
fn proxy_that_is_not_ready_stops_at_once() {
    for name in ["TERM", "INT", "QUIT"] {
        let site = heavy_site(2_000);
        let proxy = spawn(&site);
        let build = proxy.is_building();
        proxy.signal(name);
        let log = proxy.ends(0);
        assert!(log.contains(&format!("stopped before the proxy was ready signal=\"SIG{name}\"")), "{log}");
        eventually("the end of its build", || {
            let status = std::fs::read_to_string(format!("/proc/{build}/status")).unwrap_or_default();
            // The process that adopted it may not have reaped it yet.
            status.is_empty() || status.contains("State:\tZ")
        });
    }
}

#[test]
fn signal_while_the_configuration_is_read_ends_run_and_dev() {
    for command in ["run", "dev"] {
        let site = Site::new();
        let slow = Slow::new(&site);
        let proxy = Running::spawn(command, &site.path("pointsman.toml"), &[]);
        let _unread = slow.is_read();
        proxy.signal("TERM");
        proxy.ends(0);
    }
}

/// `kill` of a process group and a service manager send signals like this, unless configured otherwise.
#[test]
fn signal_to_all_processes_fails_no_build() {
    let site = Site::new();
    let mut proxy = site.start();
    std::fs::write(site.path("new.wasm"), heavy(100)).expect("a module");
    std::fs::rename(site.path("new.wasm"), site.path("router.wasm")).expect("renamed");
    let build = proxy.is_building();
    eventually("its handlers", || handles(build, 1) && handles(build, 10) && handles(build, 12));
    for name in ["HUP", "USR1", "USR2"] {
        signal(name, build);
    }
    proxy.expect_line("live");
    proxy.signal("TERM");
    proxy.ends(0);
}

/// Whether a process has a handler for this signal.
fn handles(process: u32, number: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    caught >> (number - 1) & 1 == 1
}
