//! The cost of new versions for a proxy that serves: the release binary as a separate process, real modules, real
//! traffic on loopback. `tests/bench/reload.sh` builds what it needs and runs it; the first failed request ends it.

#![forbid(unsafe_code)]

mod load;
mod site;
mod upstream;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use load::{Load, Probe};
use pointsman_tests::Wat;
use site::{Site, version_of, without_snapshot};

/// The parts, in the order in which they run.
const PARTS: [&str; 5] = ["load", "latency", "memory", "table", "large"];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` adds its own option.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    for part in PARTS {
        let named = wanted.iter().find_map(|wanted| match wanted.split_once('=') {
            Some((name, value)) => (name == part).then(|| Some(value.to_owned())),
            None => (wanted == part).then_some(None),
        });
        match (part, named) {
            ("load", Some(_)) => under_load().await,
            ("latency", Some(_)) => latency().await,
            ("memory", Some(_)) => memory().await,
            ("table", Some(_)) => table().await,
            ("large", Some(Some(path))) => large(&PathBuf::from(path)).await,
            ("large", Some(None)) => eprintln!("large=MODULE wants a module, such as one made of JavaScript"),
            _ => {}
        }
    }
    if wanted.is_empty() {
        eprintln!("usage: tests/bench/reload.sh {}=MODULE", PARTS.join(" "));
    }
}

/// 200 reloads with two modules in turn, under load of every kind.
async fn under_load() {
    const RELOADS: u64 = 200;
    const REQUESTS: usize = 100_000;
    let site = Site::start("", "").await;
    let load = Load::start(&site);
    let begin = Instant::now();
    for round in 0..RELOADS {
        site.replace(&version_of((round + 1) % 2));
        site.serves(round + 2).await;
        // Spread over the whole load.
        let due = usize::try_from(round + 1).expect("few") * REQUESTS / usize::try_from(RELOADS).expect("few");
        load.reach(due).await;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let done = load.end().await;
    println!("load: {RELOADS} reloads in {seconds:.1} s, 0 failed of:");
    println!("  {:>8} requests on 64 connections, of which", done.requests.iter().sum::<usize>());
    for (kind, requests) in load::KINDS.iter().zip(done.requests) {
        println!("  {requests:>8} {kind}");
    }
    println!("  {:>8} downloads of 2 s", done.downloads);
    println!("  {:>8} messages on {} WebSockets, open all the time", done.messages, load::WEBSOCKETS);
    println!("  {:>8} requests that were decided twice, each time by the same version", done.retried);
}

/// From a rename to the first request that the new module decides.
async fn latency() {
    const ROUNDS: u64 = 50;
    for (what, known) in [("never seen before", false), ("that is known", true)] {
        let site = Site::start("", "").await;
        let mut probe = Probe::new(&site).await;
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            let version = version_of(if known { (round + 1) % 2 } else { round + 1 });
            let file = site.beside(&version);
            let begin = Instant::now();
            site.rename(&file);
            while probe.version().await != version {}
            times.push(begin.elapsed());
        }
        println!("latency: from rename to the first request, 29 KB of Rust {what}: {}", spread(times));
    }
    let site = Site::of_module(&Wat::answering(201).bytes());
    let mut probe = Probe::new(&site).await;
    let mut times = Vec::new();
    for status in (202..).take(usize::try_from(ROUNDS).expect("few")) {
        let file = site.beside_bytes(&Wat::answering(status).bytes());
        let begin = Instant::now();
        site.rename(&file);
        while probe.status().await != status {}
        times.push(begin.elapsed());
    }
    println!("latency: from rename to the first request, 1 KB never seen before: {}", spread(times));
}

/// The resources that 1,000 versions leave behind.
async fn memory() {
    const RELOADS: u64 = 1_000;
    let site = Site::start("state_dir = \"state\"\ncache_dir = \"cache\"", "").await;
    let mut probe = Probe::new(&site).await;
    for round in 0..=RELOADS {
        if round > 0 {
            site.replace(&version_of(round));
            site.serves(round + 1).await;
        }
        probe.version().await;
        if [0, 10, 100].contains(&round) || round % 250 == 0 {
            let (resident, mappings, descriptors) = site.footprint();
            println!(
                "memory: after {round:>4} reloads {resident:>6.1} MiB, {mappings} mappings, {descriptors} descriptors"
            );
        }
    }
    let (kept, built) = (site.files("state/modules"), site.files("cache"));
    println!("memory: files left: {kept} modules in state_dir, {built} in cache_dir");
}

/// A table of 100,000 routes: with a snapshot, and configured in each instance.
async fn table() {
    const ROUTES: usize = 100_000;
    let module = std::fs::read(site::module("table")).expect("the example `table`");
    for (what, module, routes, requests) in [
        ("1 route, snapshot", module.clone(), 1, 5_000),
        ("100,000 routes, snapshot", module.clone(), ROUTES, 5_000),
        ("100,000 routes, configured in each decision", without_snapshot(&module), ROUTES, 100),
    ] {
        let begin = Instant::now();
        let site = Site::table(&module, routes).await;
        let ready = begin.elapsed();
        let mut probe = Probe::new(&site).await;
        probe.ask(requests).await;
        let mean = site.mean_decision().await;
        let (resident, ..) = site.footprint();
        println!(
            "table: {what}: {:.1} us a decision, mean of {requests}; ready after {:.1} s; {resident:.0} MiB",
            mean * 1e6,
            ready.as_secs_f64()
        );
    }
}

/// A large module is compiled while traffic flows, then taken from the cache.
async fn large(module: &PathBuf) {
    let bytes = std::fs::read(module).expect("the large module");
    let site = Site::start("cache_dir = \"cache\"", "configure_ms = 10_000\nmemory_mib = 256").await;
    let probe = Probe::new(&site).await.keep_asking();
    let quiet = Duration::from_secs(20);
    tokio::time::sleep(quiet).await;
    let before = probe.times();
    println!("large: p50 and p99 before: {}", spread(before));
    let file = site.beside_bytes(&bytes);
    let begin = Instant::now();
    site.rename(&file);
    site.serves(2).await;
    let took = begin.elapsed();
    let during = probe.times();
    println!("large: {} MB, serves after {:.1} s", bytes.len() / 1_000_000, took.as_secs_f64());
    println!("large: p50 and p99 during: {}", spread(during));
    site.replace(&version_of(0));
    site.serves(3).await;
    let file = site.beside_bytes(&bytes);
    let begin = Instant::now();
    site.rename(&file);
    site.serves(4).await;
    println!("large: again, while its old version is kept: {:.0} ms", begin.elapsed().as_secs_f64() * 1e3);
    drop(probe);
    let begin = Instant::now();
    let site = site.restart();
    println!("large: a restart serves it after {:.0} ms, from the cache", begin.elapsed().as_secs_f64() * 1e3);
    assert_eq!(Probe::new(&site).await.status().await, 200);
}

/// Median, 99th percentile and worst, in milliseconds.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    format!("median {:.2} ms, p99 {:.2} ms, worst {:.2} ms of {}", at(50), at(99), at(100), times.len())
}
