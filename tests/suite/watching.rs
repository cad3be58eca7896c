//! Module files that change under a proxy: all ways to write them, and events of other files.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pointsman_tests::{Live, Proxy, Tenant, Wat, eventually, eventually_async};
use tempfile::TempDir;

use crate::reload::{answers, last_failure, refused};

#[tokio::test]
async fn path_that_is_not_a_file_is_refused_at_once() {
    let live = Live::new(&Wat::answering(201));
    let proxy = Proxy::with(Tenant::new("shop").module(live.path(), "")).start().await;
    let device = live.folder().join("device");
    symlink("/dev/zero", &device).expect("a symlink");
    fs::rename(&device, live.path()).expect("renamed");
    refused(&proxy, 1).await;
    let (step, message) = last_failure(&proxy);
    assert!(step == "read" && message.ends_with(": not a regular file"), "{step}: {message}");

    live.replace(&Wat::answering(202).bytes());
    answers(&proxy, 202).await;
    let fifo = live.folder().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs");
    assert!(made.success());
    fs::rename(&fifo, live.folder().join("router.tests.json")).expect("renamed");
    refused(&proxy, 2).await;
    let (step, message) = last_failure(&proxy);
    assert!(step == "test" && message.ends_with("cannot be read: not a regular file"), "{step}: {message}");
    let file = fs::File::create(live.folder().join("large")).expect("a file");
    file.set_len(16 * 1024 * 1024 + 1).expect("a sparse file");
    fs::rename(live.folder().join("large"), live.folder().join("router.tests.json")).expect("renamed");
    refused(&proxy, 3).await;
    assert!(last_failure(&proxy).1.contains("has 16777217 bytes; a file of tests may have 16777216 at most"));
}

async fn version(proxy: &Proxy, tenant: &str, number: f64) {
    let series = format!(r#"pointsman_live_version{{tenant="{tenant}"}}"#);
    eventually_async(&format!("version {number}"), async || (proxy.metric(&series).await == number).then_some(()))
        .await;
}

async fn refusals(proxy: &Proxy) -> f64 {
    let mut sum = 0.0;
    for tenant in ["shop", "other"] {
        sum += proxy.metric(&format!(r#"pointsman_releases_total{{outcome="refused",tenant="{tenant}"}}"#)).await;
    }
    sum
}

/// Puts a module into a folder.
fn put(folder: &Path, status: u16) {
    fs::write(folder.join("router.wasm"), Wat::answering(status).bytes()).expect("written");
}

/// A proxy whose module is at this path.
async fn serving(path: &Path) -> Proxy {
    let proxy = Proxy::with(Tenant::new("shop").module(path, "")).start().await;
    assert_eq!(proxy.get("http://shop.test/").await.status, 201);
    proxy
}

/// As Vim, Emacs and Kate save: the old file under another name, and the new one written in its place.
#[tokio::test]
async fn file_saved_by_renaming_the_old_one_is_loaded() {
    let live = Live::new(&Wat::answering(201));
    let proxy = serving(&live.path()).await;
    for status in [202, 203, 204] {
        fs::rename(live.path(), live.folder().join("router.wasm~")).expect("kept");
        put(live.folder(), status);
        answers(&proxy, status).await;
    }
    assert_eq!(refusals(&proxy).await, 0.0);
}

#[tokio::test]
async fn partly_written_file_is_not_loaded_when_another_file_is_saved() {
    let (a, b) = (Live::new(&Wat::answering(201)), Live::new(&Wat::answering(201)));
    // In the other one's folder, and in its own.
    let path = a.folder().join("other.wasm");
    fs::copy(b.path(), &path).expect("a module");
    let shop = Tenant::new("shop").module(a.path(), "");
    let proxy = Proxy::with(shop).and(Tenant::new("other").module(&path, "")).start().await;
    let over = Arc::new(AtomicBool::new(false));
    let (written, stop) = (path.clone(), over.clone());
    let writer = tokio::task::spawn_blocking(move || {
        let mut file = fs::File::create(&written).expect("the file");
        for byte in Wat::answering(210).bytes() {
            file.write_all(&[byte]).expect("written");
            // Without a pause that could pass for the end of the write.
            if !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });
    eventually("a part of the file", || (fs::metadata(&path).expect("the file").len() < 100).then_some(())).await;
    for status in 202..206 {
        a.replace(&Wat::answering(status).bytes());
        answers(&proxy, status).await;
    }
    assert!(!writer.is_finished(), "the file is still half written");
    over.store(true, Ordering::Relaxed);
    writer.await.expect("a whole file");
    version(&proxy, "other", 2.0).await;
    assert_eq!(proxy.get("http://other.test/").await.status, 210);
    assert_eq!(refusals(&proxy).await, 0.0);
}

/// Two modules of one tenant are one version: none is loaded while the other is half written.
#[tokio::test]
async fn modules_of_a_tenant_are_loaded_together() {
    let (a, b) = (Live::new(&Wat::answering(201)), Live::new(&Wat::answering(201)));
    let proxy = Proxy::with(Tenant::new("shop").module(a.path(), "").module(b.path(), "")).start().await;
    let bytes = Wat::answering(210).bytes();
    let mut file = fs::File::create(b.path()).expect("the file");
    file.write_all(&bytes[..bytes.len() / 2]).expect("written");
    a.replace(&Wat::answering(202).bytes());
    file.write_all(&bytes[bytes.len() / 2..]).expect("written");
    drop(file);
    answers(&proxy, 202).await;
    version(&proxy, "shop", 2.0).await;
    assert_eq!(refusals(&proxy).await, 0.0);
}

/// Measures the time from `change` until requests are answered with this status, best of a few. Events take effect
/// at once; a change that has to be polled takes at least one second.
async fn takes_effect_at_once(proxy: &Proxy, mut change: impl FnMut(u16)) {
    let mut best = Duration::MAX;
    for status in 202..206 {
        let start = Instant::now();
        change(status);
        answers(proxy, status).await;
        best = best.min(start.elapsed());
    }
    assert!(best < Duration::from_millis(800), "{best:?}");
}

#[tokio::test]
async fn recreated_folder_is_watched() {
    let root = TempDir::new().expect("a folder");
    let folder = root.path().join("mods");
    let make = |status| {
        fs::create_dir(&folder).expect("a folder");
        put(&folder, status);
    };
    make(201);
    let proxy = serving(&folder.join("router.wasm")).await;
    for status in [210, 211] {
        fs::remove_dir_all(&folder).expect("removed");
        make(status);
        answers(&proxy, status).await;
        // From here on the system reports events again.
        takes_effect_at_once(&proxy, |status| {
            put(root.path(), status);
            fs::rename(root.path().join("router.wasm"), folder.join("router.wasm")).expect("replaced");
        })
        .await;
    }
}

#[tokio::test]
async fn folder_that_replaces_another_is_loaded_and_watched() {
    let root = TempDir::new().expect("a folder");
    let folder = root.path().join("mods");
    fs::create_dir(&folder).expect("a folder");
    put(&folder, 201);
    let proxy = serving(&folder.join("router.wasm")).await;
    let swap = |status: u16| {
        let new = root.path().join("new");
        fs::create_dir(&new).expect("a folder");
        put(&new, status);
        fs::rename(&folder, root.path().join(format!("old-{status}"))).expect("renamed");
        fs::rename(&new, &folder).expect("renamed");
    };
    takes_effect_at_once(&proxy, swap).await;
    takes_effect_at_once(&proxy, |status| put(&folder, status)).await;
    assert_eq!(refusals(&proxy).await, 0.0);
}

/// `router.wasm` -> `current/router.wasm`, `current` -> `releases/one`, `releases` -> a folder elsewhere.
#[tokio::test]
async fn each_link_of_a_chain_is_watched() {
    let (here, there) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let release = |root: &Path, name: &str, status: u16| {
        fs::create_dir_all(root.join(name)).expect("a folder");
        put(&root.join(name), status);
    };
    let link = |target: &Path, name: &str| {
        symlink(target, here.path().join("new")).expect("a symlink");
        fs::rename(here.path().join("new"), here.path().join(name)).expect("renamed");
    };
    release(&there.path().join("a"), "one", 201);
    link(&there.path().join("a"), "releases");
    link(Path::new("releases/one"), "current");
    link(Path::new("current/router.wasm"), "router.wasm");
    let proxy = serving(&here.path().join("router.wasm")).await;
    let mut round = 0;
    // The one in the middle.
    takes_effect_at_once(&proxy, |status| {
        round += 1;
        release(&there.path().join("a"), &format!("{round}"), status);
        link(Path::new(&format!("releases/{round}")), "current");
    })
    .await;
    // The last folder of the chain, which was empty when the proxy started.
    takes_effect_at_once(&proxy, |status| {
        release(there.path(), "new", status);
        let end = there.path().join("a").join(round.to_string()).join("router.wasm");
        fs::rename(there.path().join("new/router.wasm"), end).expect("replaced");
    })
    .await;
    // The first one.
    release(&there.path().join("b"), &round.to_string(), 220);
    link(&there.path().join("b"), "releases");
    answers(&proxy, 220).await;
    assert_eq!(refusals(&proxy).await, 0.0);
}

/// A tenant that writes files in its own folder as fast as it can delays no module and uses no memory.
#[tokio::test]
async fn unrelated_file_events_do_not_delay_a_module() {
    let (live, other) = (Live::new(&Wat::answering(201)), Live::new(&Wat::answering(201)));
    let shop = Tenant::new("shop").module(live.path(), "");
    let proxy = Proxy::with(shop).and(Tenant::new("other").module(other.path(), "")).start().await;
    let folder = live.folder().to_owned();
    let storm = tokio::task::spawn_blocking(move || {
        for number in 0..20_000 {
            fs::write(folder.join(format!("unrelated-{}", number % 50)), "").expect("written");
        }
    });
    let mut round: u16 = 1;
    while !storm.is_finished() || round == 1 {
        let status = 201 + round % 2;
        live.replace(&Wat::answering(status).bytes());
        other.replace(&Wat::answering(status).bytes());
        round += 1;
        version(&proxy, "shop", f64::from(round)).await;
        version(&proxy, "other", f64::from(round)).await;
    }
    storm.await.expect("no write failed");
    assert_eq!(refusals(&proxy).await, 0.0);
}
