//! Output to logs and terminals: nothing is lost when a log file is replaced, and untrusted text cannot pass for
//! anything else.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;

use crate::cli::{ends, json};
use crate::live::{Site, eventually, get};
use crate::running::{Running, example};

/// A site with an access log in a file.
fn site() -> Site {
    let site = Site::new();
    site.edit(|text| format!("[log]\nformat = \"json\"\naccess = {{ file = \"logs/access.log\" }}\n{text}"));
    std::fs::create_dir(site.path("logs")).expect("a folder");
    site
}

fn lines(site: &Site, name: &str) -> usize {
    let text = std::fs::read_to_string(site.path("logs").join(name)).unwrap_or_default();
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "lines are whole: {text}");
    text.lines().count()
}

#[test]
fn rotation_loses_no_line() {
    let site = site();
    let mut proxy = Running::start_file("run", &site.path("pointsman.toml"));
    let log = |name: &str| site.path("logs").join(name);
    let address = json_address(&proxy);
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(get(address).1, "fixed");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 1..=3 {
            eventually("lines", || lines(&site, "access.log") > 10);
            std::fs::rename(log("access.log"), log(&format!("access.log.{number}"))).expect("renamed");
            proxy.signal("USR1");
            proxy.expect_line("the access log is reopened");
        }
        // The folder has been moved, so no new file can be created.
        eventually("lines", || lines(&site, "access.log") > 10);
        std::fs::rename(site.path("logs"), site.path("away")).expect("renamed");
        proxy.signal("USR1");
        proxy.expect_line("the access log cannot be reopened");
        let before = served.load(Ordering::Relaxed);
        eventually("more requests", || served.load(Ordering::Relaxed) > before + 10);
        std::fs::rename(site.path("away"), site.path("logs")).expect("renamed");
        done.store(true, Ordering::Relaxed);
    });
    proxy.signal("TERM");
    proxy.ends(0);
    let files = ["access.log", "access.log.1", "access.log.2", "access.log.3"].map(|name| lines(&site, name));
    assert_eq!(files.iter().sum::<usize>(), served.load(Ordering::Relaxed), "{files:?}");
    assert!(files.iter().all(|lines| *lines > 10), "{files:?}");
}

/// The address of a proxy whose log is JSON.
fn json_address(proxy: &Running) -> SocketAddr {
    let line = proxy.output.lines().find(|line| line.contains("\"listening\"")).expect("a line");
    json(line)["fields"]["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
}

/// Sends a module an order that determines its answer.
fn order(address: SocketAddr, order: &str) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!("GET / HTTP/1.1\r\nhost: a.test\r\npointsman-lab: {order}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    stream.read_to_end(&mut Vec::new()).expect("a response");
}

#[test]
fn notes_and_causes_cannot_reverse_the_text_of_a_line() {
    for format in ["text", "json"] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("access.log");
        let proxy = Running::start_tenants(
            &format!("[log]\nformat = \"{format}\"\naccess = {{ file = {file:?} }}"),
            &format!(
                "[[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n[tenant.grants]\nnetworks = [\"127.0.0.1\"]\nports = [1]\n[[tenant.module]]\npath = {:?}",
                example("lab")
            ),
        );
        let address = match format {
            "json" => json_address(&proxy),
            _ => proxy.address(),
        };
        order(address, r#"{"route": {"peer": {"address": "127.0.0.1:1"}, "note": "a\u202eb\u200b"}}"#);
        order(address, r#"{"\u202eunknown\u2066": 1}"#);
        let read = || std::fs::read_to_string(&file).unwrap_or_default();
        eventually("the lines", || read().lines().count() == 2);
        let text = read();
        let note = if format == "json" { r#""note":"a\u202eb\u200b""# } else { r#"note="a\u{202e}b\u{200b}""# };
        assert!(text.is_ascii() && text.contains(note) && text.contains("\\u{202e}unknown"), "{text}");
        proxy.signal("TERM");
        let log = proxy.ends(0);
        assert!(log.is_ascii(), "{log}");
    }
}

#[test]
fn commands_escape_control_characters_of_files_and_modules() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a\u{202e}b\u{1b}[2J.wasm");
    std::fs::write(&path, "no module").expect("written");
    let config = folder.path().join("c\u{202e}.toml");
    let text = "[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n\
                [[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n[[tenant.module]]\npath = \"a\\u202eb\\u001b[2J.wasm\"\n";
    std::fs::write(&config, text).expect("written");
    symlink(&config, folder.path().join("good.toml")).expect("a symlink");
    for name in ["c\u{202e}.toml", "good.toml"] {
        let file = folder.path().join(name).display().to_string();
        for command in ["check", "run"] {
            let (_, errors) = ends(3, &[command, "--config", &file]);
            assert!(
                errors.is_ascii() && errors.contains("a\\u{202e}b\\u{1b}[2J.wasm`: not a WebAssembly"),
                "{errors:?}"
            );
            assert!(!errors.contains('\u{1b}'), "{errors:?}");
        }
    }
    std::fs::write(&config, "\"k\\u202e\" = 1\n").expect("written");
    let (_, errors) = ends(3, &["check", "--config", &config.display().to_string()]);
    assert!(errors.is_ascii() && errors.contains("k\\u{202e}"), "{errors:?}");

    let order = r#"pointsman-lab: {"route": {"peer": {"address": "192.0.2.1:80"}, "note": "a\u202eb"}}"#;
    let (printed, _) = ends(0, &["decide", "--module", &example("lab"), "-H", order, "http://a.test/"]);
    assert!(printed.is_ascii(), "{printed}");
    assert_eq!(json(&printed)["outcome"]["connect"]["note"], "a\u{202e}b");
}
