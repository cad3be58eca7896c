//! Faults of the state folder: full or failing disks, kills, and edited files.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use crate::heavy::heavy;
use crate::live::{Site, eventually, get, get_of};
use crate::running::{Running, example, signal};

/// A site with two tenants, `shop` and `cart`.
fn two_tenants() -> Site {
    let site = Site::new();
    site.edit(|text| {
        let (before, tenant) = text.split_once("[[tenant]]").expect("a tenant");
        let of = |name: &str| {
            let hosts = format!("hostnames = [\"{name}.test\"]");
            let tenant = tenant.replace("hostnames = [\"*\"]", &hosts).replace("\"shop\"", &format!("\"{name}\""));
            format!("[[tenant]]{tenant}")
        };
        format!("{before}{}{}", of("shop"), of("cart"))
    });
    site
}

fn state_of(site: &Site, tenant: &str) -> std::path::PathBuf {
    site.path(&format!("state/tenants/{tenant}.json"))
}

#[test]
fn damaged_state_of_a_tenant_is_refused_and_nothing_is_lost() {
    let site = two_tenants();
    let proxy = site.start();
    for tenant in ["shop", "cart"] {
        site.admin(0, &["push", tenant, &example("canary")]);
    }
    proxy.signal("TERM");
    proxy.ends(0);
    let file = state_of(&site, "shop");
    let good = std::fs::read(&file).expect("the state");
    let text = String::from_utf8(good.clone()).expect("text");
    let flipped = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1).into_bytes()
    };
    let half = good[..good.len() / 2].to_vec();
    let damages = [
        // Version 2 is live: one flipped bit makes it version 3, which does not exist, or drains the tenant.
        (flipped("\"number\": 2", "\"number\": 3"), "does not match its checksum"),
        (flipped("\"standing\": \"live\"", "\"standing\": \"lave\""), "does not match its checksum"),
        (flipped("\"format\": 1", "\"format\": 3"), "does not match its checksum"),
        (half, "is not the state of a tenant"),
        (Vec::new(), "it is empty"),
        (vec![0; good.len()], "is not the state of a tenant"),
    ];
    for ((damaged, why), number) in damages.into_iter().zip(1_usize..) {
        std::fs::write(&file, &damaged).expect("written");
        // None of them replaces an earlier one.
        let aside = match number {
            1 => "shop.json.damaged".to_owned(),
            number => format!("shop.json.{number}.damaged"),
        };
        let proxy = site.start();
        let error = proxy.output.lines().find(|line| line.contains("ERROR")).expect("an error");
        assert!(error.contains("shop.json`: ") && error.contains(why) && error.contains(&aside), "{error}");
        assert_eq!(get_of(proxy.address(), "shop.test").1, "fixed", "its file serves");
        assert_eq!(get_of(proxy.address(), "cart.test").1, "canary", "other tenants are unaffected");
        assert_eq!(std::fs::read(site.path(&format!("state/tenants/{aside}"))).expect("set aside"), damaged);
        proxy.kill();
    }
    // With a good copy, the tenant continues where it was: its module is still there.
    std::fs::write(&file, &good).expect("written");
    let proxy = site.start();
    assert_eq!(get_of(proxy.address(), "shop.test").1, "canary");
    let (printed, _) = site.admin(0, &["show", "shop"]);
    assert!(printed.contains("shop: version 2 serves"), "{printed}");
    proxy.kill();
}

#[test]
fn state_without_checksums_is_read_and_written_with_one() {
    let site = Site::new();
    let proxy = site.start();
    site.admin(0, &["push", "shop", &example("canary")]);
    proxy.signal("TERM");
    proxy.ends(0);
    let file = state_of(&site, "shop");
    let text = std::fs::read_to_string(&file).expect("the state");
    let (before, _) = text.split_once(",\n  \"sha256\"").expect("a checksum");
    std::fs::write(&file, format!("{}\n}}", before.replace("  \"format\": 1,\n", ""))).expect("written");
    let proxy = site.start();
    assert_eq!(get(proxy.address()).1, "canary");
    eventually("a checksum", || std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"sha256\"")));
    proxy.kill();
    let proxy = site.start();
    assert_eq!(get(proxy.address()).1, "canary");
    proxy.kill();
}

#[test]
fn upgrade_with_a_damaged_state_leaves_the_old_process_in_its_place() {
    let site = Site::new();
    let mut proxy = site.start();
    site.admin(0, &["push", "shop", &example("canary")]);
    let file = state_of(&site, "shop");
    let text = std::fs::read_to_string(&file).expect("the state");
    std::fs::write(&file, text.replace("\"number\": 2", "\"number\": 3")).expect("written");
    proxy.signal("USR2");
    proxy.expect_line("it does not match its checksum");
    proxy.expect_line("upgrade: the successor ended; this process continues");
    assert_eq!(get(proxy.address()).1, "canary");
    // The next change writes the file, so it is valid again.
    site.admin(0, &["resume", "shop"]);

    let modules = site.path("state/modules");
    let damage = |from: &str, to: &str| {
        for module in std::fs::read_dir(&modules).expect("modules").flatten() {
            let path = module.path();
            if path.extension().is_some_and(|extension| extension == from) {
                std::fs::rename(&path, path.with_extension(to)).expect("renamed");
            }
        }
    };
    damage("wasm", "away");
    proxy.signal("USR2");
    proxy.expect_line("is gone from proxy.state_dir: upload it again: cannot use `");
    proxy.expect_line("upgrade: the successor ended; this process continues");
    assert_eq!(get(proxy.address()).1, "canary");
    damage("away", "wasm");

    proxy.signal("USR2");
    proxy.expect_line("stopped");
    assert_eq!(get(proxy.address()).1, "canary");
    signal("TERM", proxy.successor());
    proxy.ends(0);
}

/// A folder in which nobody can create files.
const READ_ONLY: &str = "/proc/self/fdinfo";

#[test]
fn order_that_cannot_be_saved_reports_an_error() {
    let site = Site::new();
    let mut proxy = site.start();
    site.admin(0, &["push", "shop", &example("canary")]);
    let (tenants, away) = (site.path("state/tenants"), site.path("state/away"));
    std::fs::rename(&tenants, &away).expect("renamed");
    symlink(READ_ONLY, &tenants).expect("a symlink");
    let not_saved = |arguments: &[&str], now: &str| {
        let (printed, errors) = site.admin(1, arguments);
        let expected = format!(
            "error: not-saved: done, but not saved: {now} now; after a restart: the configured files serve; saving is \
             retried every second: cannot use `{}`: ",
            state_of(&site, "shop").display()
        );
        assert!(errors.starts_with(&expected) && printed.is_empty(), "{errors}");
    };
    let serves = || get(proxy.address());
    not_saved(&["rollback", "shop"], "version 1 is live");
    assert_eq!(serves().1, "fixed");
    not_saved(&["drain", "shop"], "version 1 is live, drained");
    assert!(serves().0.contains("503"));
    not_saved(&["resume", "shop"], "version 1 is live");
    assert_eq!(serves().1, "fixed");
    let canary = example("canary");
    not_saved(&["push", "shop", &canary, "--stage", "shadow"], "version 1 is live, version 3 on trial (shadow)");
    not_saved(&["promote", "shop", "--to", "canary"], "version 1 is live, version 3 on trial (canary)");
    not_saved(&["abort", "shop"], "version 1 is live");
    proxy.expect_line("cannot save the serving versions for the next start");

    // Saving is retried.
    std::fs::remove_file(&tenants).expect("removed");
    std::fs::rename(&away, &tenants).expect("renamed");
    let kept = || std::fs::read_to_string(state_of(&site, "shop")).unwrap_or_default();
    eventually("the state", || kept().contains("\"aborted\""));
    proxy.kill();
    let proxy = site.start();
    assert_eq!(get(proxy.address()).1, "fixed");
    site.admin(0, &["drain", "shop"]);
    proxy.kill();
}

/// The killed process was starting builds, each of which holds its sockets for a moment.
#[test]
fn start_after_a_kill_during_a_build_works_at_once() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let site = Site::new();
    site.edit(|text| text.replace("127.0.0.1:0", &address.to_string()));
    let proxy = site.start();
    site.admin(0, &["push", "shop", &example("canary")]);
    proxy.signal("TERM");
    proxy.ends(0);
    let fixed = std::fs::read(site.path("router.wasm")).expect("a module");
    for number in 0..5_u32 {
        let proxy = site.start();
        assert_eq!((proxy.address(), get(address).1), (address, "canary".to_owned()));
        std::fs::write(site.path("new.wasm"), heavy(500 + number)).expect("a module");
        std::fs::rename(site.path("new.wasm"), site.path("router.wasm")).expect("renamed");
        proxy.is_building();
        proxy.kill();
        std::fs::write(site.path("router.wasm"), &fixed).expect("written");
    }
    // And before the first proxy is ready.
    std::fs::write(site.path("router.wasm"), heavy(500)).expect("a module");
    let proxy = Running::spawn("run", &site.path("pointsman.toml"), &[]);
    proxy.is_building();
    proxy.kill();
    std::fs::write(site.path("router.wasm"), &fixed).expect("written");
    let proxy = site.start();
    assert_eq!(get(address).1, "canary");
    proxy.kill();
}
