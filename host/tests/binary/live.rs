//! New versions of modules and of the configuration, on a running proxy.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cli::{ends, json};
use crate::running::{PATIENCE, Running, example};

/// An upstream that responds with its name.
fn upstream(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(&stream);
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                    if line == "\r\n" {
                        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                        let _ = (&stream).write_all(response.as_bytes());
                    }
                    line.clear();
                }
            });
        }
    });
    address
}

/// The status line and body of a response.
pub fn get(address: SocketAddr) -> (String, String) {
    get_of(address, "shop.test")
}

pub fn get_of(address: SocketAddr, host: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {response}"));
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A folder with everything that a proxy needs: the modules `fixed` and `canary` share one configuration and lead to
/// upstreams that show which module decided.
pub struct Site {
    folder: TempDir,
}

impl Site {
    pub fn new() -> Site {
        Site::leading_to(upstream("fixed"))
    }

    /// The same with the test's own upstream for `fixed`.
    pub fn leading_to(fixed: SocketAddr) -> Site {
        // The mode that the folder of an upgrade socket must have.
        let ours_alone = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().permissions(ours_alone).tempdir().expect("a folder");
        let site = Site { folder };
        let canary = upstream("canary");
        std::fs::copy(example("fixed"), site.path("router.wasm")).expect("a module");
        let config = format!(
            "[proxy]\nstate_dir = \"state\"\ncache_dir = \"cache\"\nupgrade_socket = \"upgrade.sock\"\n\
             [admin]\nsocket = \"admin.sock\"\n\
             [[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n\
             [[tenant]]\nname = \"shop\"\nhostnames = [\"*\"]\n[tenant.grants]\nnetworks = [\"127.0.0.0/8\"]\n\
             [[tenant.module]]\npath = \"router.wasm\"\n[tenant.module.config]\n\
             address = \"{fixed}\"\nstable = \"{canary}\"\ncanary = \"{canary}\"\npercent = 0\n"
        );
        std::fs::write(site.path("pointsman.toml"), config).expect("a configuration");
        site
    }

    /// Edits its configuration file.
    pub fn edit(&self, change: impl FnOnce(String) -> String) {
        let path = self.path("pointsman.toml");
        let text = std::fs::read_to_string(&path).expect("a configuration");
        std::fs::write(path, change(text)).expect("written");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn start(&self) -> Running {
        let mut proxy = Running::start_file("run", &self.path("pointsman.toml"));
        proxy.expect_line("see `pointsman admin`");
        proxy
    }

    fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        let config = self.path("pointsman.toml").display().to_string();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        ["admin".to_owned(), "--config".to_owned(), config].into_iter().chain(arguments).collect()
    }

    /// Runs `pointsman admin`, which must exit with this code, and returns its output.
    #[track_caller]
    pub fn admin(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let arguments = self.arguments(arguments);
        ends(code, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Uploads a module, whose file is made different by `number`.
    fn push(&self, module: &str, number: u8) -> Child {
        let mut bytes = std::fs::read(example(module)).expect("a module");
        // A custom section that contains the number.
        bytes.extend([0, 3, 1, b'n', number]);
        let path = self.path(&format!("{number}.wasm"));
        std::fs::write(&path, bytes).expect("a module");
        Command::new(env!("CARGO_BIN_EXE_pointsman"))
            .args(self.arguments(&["push", "shop", &path.display().to_string()]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs")
    }

    /// The number of saved modules, and the saved state of the tenant.
    fn state(&self) -> (usize, String) {
        let modules = std::fs::read_dir(self.path("state/modules")).expect("kept modules").count();
        (modules, std::fs::read_to_string(self.path("state/tenants/shop.json")).unwrap_or_default())
    }
}

#[test]
fn upload_survives_a_kill_at_any_point() {
    let site = Site::new();
    let proxy = site.start();
    assert_eq!(get(proxy.address()).1, "fixed");
    site.admin(0, &["push", "shop", &example("canary")]);
    assert_eq!(get(proxy.address()).1, "canary");
    proxy.kill();

    let (mut old, mut new) = ("canary", "fixed");
    for (number, point) in (0..).zip(["begun", "module kept", "version kept", "over"]) {
        let proxy = site.start();
        assert_eq!(get(proxy.address()).1, old, "before {point}");
        let before = site.state();
        let mut push = site.push(new, number);
        match point {
            "begun" => {}
            "module kept" => eventually(point, || site.state().0 > before.0),
            "version kept" => eventually(point, || site.state().1 != before.1),
            _ => assert!(push.wait().expect("it ends").success()),
        }
        proxy.kill();
        push.wait().expect("it ends");

        let proxy = site.start();
        let serves = get(proxy.address()).1;
        let expected: &[&str] = if ["version kept", "over"].contains(&point) { &[new] } else { &[old, new] };
        assert!(expected.contains(&&*serves), "{serves} after {point}");
        if serves == new {
            (old, new) = (new, old);
        }
        proxy.signal("TERM");
        proxy.ends(0);
    }
}

#[test]
fn admin_commands_have_their_documented_effect() {
    let site = Site::new();
    let (_, errors) = site.admin(1, &["tenants"]);
    assert!(errors.contains("cannot reach the proxy at `"), "{errors}");
    let proxy = site.start();
    let fixed = || get(proxy.address()).1;
    let (printed, _) = site.admin(0, &["tenants", "--json"]);
    assert_eq!(json(&printed)["tenants"][0]["live"], 1);
    let (printed, _) = site.admin(0, &["tenants"]);
    let digest =
        &pointsman_wasm::module::Digest::of(&std::fs::read(example("fixed")).expect("the module")).full()[..12];
    let lines: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    let head = vec!["NAME", "LIVE", "CANDIDATE", "MODULES", "DRAINED"];
    assert_eq!(lines, [head, vec!["shop", "1", "-", digest, "no"]]);

    let readme = site.path("pointsman.toml").display().to_string();
    for command in ["validate", "push"] {
        let (_, errors) = site.admin(3, &[command, "shop", &readme]);
        assert!(errors.starts_with("refused at the step `build`: ") && errors.contains("not a Web"), "{errors}");
    }
    let (printed, _) = site.admin(0, &["failures", "--json"]);
    assert_eq!(json(&printed)["failures"].as_array().map(Vec::len), Some(1), "{printed}");
    let (printed, _) = site.admin(0, &["failures"]);
    assert!(printed.starts_with("TENANT  REFUSED") && printed.contains("  upload  build  "), "{printed}");
    let (printed, _) = site.admin(0, &["validate", "shop", &example("canary")]);
    assert!(printed.starts_with("shop: a version of "), "{printed}");
    assert_eq!(fixed(), "fixed");

    site.admin(0, &["push", "shop", &example("canary"), "--stage", "shadow"]);
    assert_eq!(fixed(), "fixed");
    let (printed, _) = site.admin(0, &["show", "shop", "--json"]);
    assert_eq!(json(&printed)["candidate"]["stage"], "shadow", "{printed}");
    let (printed, _) = site.admin(0, &["show", "shop"]);
    assert!(printed.starts_with("shop: version 1 serves\ncandidate: version 2, shadow; agreements "), "{printed}");
    assert!(printed.contains("\nNUMBER  STATE ") && printed.contains("\nREFUSED  "), "{printed}");
    site.admin(0, &["abort", "shop"]);
    let (_, errors) = site.admin(3, &["promote", "shop"]);
    assert!(errors.contains("there is no candidate; `pointsman admin show TENANT` lists"), "{errors}");
    let (_, errors) = site.admin(3, &["rollback", "shop", "--to", "7"]);
    assert!(errors.contains("version 7 is not in the history; `pointsman admin show TENANT` lists"), "{errors}");
    site.admin(0, &["push", "shop", &example("canary"), "--stage", "shadow"]);
    site.admin(0, &["promote", "shop", "--to", "live"]);
    assert_eq!(fixed(), "canary");
    let (printed, _) = site.admin(0, &["rollback", "shop"]);
    assert_eq!((printed, fixed()), (format!("shop: version 1 ({digest}) serves again\n"), "fixed".to_owned()));

    site.admin(0, &["drain", "shop"]);
    assert!(get(proxy.address()).0.contains("503"));
    site.admin(0, &["resume", "shop"]);
    assert_eq!(fixed(), "fixed");
    let (printed, _) = site.admin(0, &["reload", "--json"]);
    assert_eq!(json(&printed)["unchanged"], 1, "{printed}");
    let (printed, _) = site.admin(0, &["reload"]);
    assert_eq!(printed, "unchanged: 1\n");
    let (_, errors) = site.admin(3, &["show", "shp"]);
    assert_eq!(errors, "no-such-tenant: no tenant has the name `shp`; did you mean `shop`?\n");
}

#[test]
fn dev_prints_decisions_and_reloads_saved_files() {
    let site = Site::new();
    let mut dev = Running::start_file("dev", &site.path("pointsman.toml"));
    assert_eq!(get(dev.address()).1, "fixed");
    dev.expect_line("GET http://shop.test/ -> connect 127.0.0.1:");
    dev.expect_line("read config.get-text(\"/address\") = \"127.0.0.1:");
    std::fs::copy(example("canary"), site.path("new.wasm")).expect("a module");
    std::fs::rename(site.path("new.wasm"), site.path("router.wasm")).expect("renamed");
    eventually("the new module", || get(dev.address()).1 == "canary");
    dev.expect_line("[version 2]");
    dev.expect_line("read config.get-text(\"/stable\") = \"127.0.0.1:");
    dev.signal("TERM");
    dev.ends(0);
}

/// The files that a configuration consists of: each saved, added or removed file takes effect at once, and `dev`
/// overrides the file's settings for watching and for the access log.
#[test]
fn dev_follows_all_files_of_its_configuration() {
    let site = Site::new();
    let main = site.path("pointsman.toml");
    let text = std::fs::read_to_string(&main).expect("the configuration");
    let text = text.replace("[proxy]\n", "[proxy]\nwatch = false\n") + "[log]\naccess = \"stdout\"\n";
    std::fs::write(&main, &text).expect("written");
    std::fs::create_dir(site.path("tenants.d")).expect("a folder");
    let dev = Running::start_file("dev", &main);
    let status = |host: &str| get_of(dev.address(), host).0;
    let answering = |name: &str, status: u16| {
        format!(
            "[[tenant]]\nname = \"{name}\"\nhostnames = [\"{name}.test\"]\n\
             [[tenant.module]]\npath = \"../router.wasm\"\n[tenant.module.config]\naddress = \"127.0.0.1:1\"\n\
             [tenant.failure]\nstatus = {status}\n"
        )
    };
    assert_eq!(get(dev.address()).1, "fixed");
    // Added, replaced as editors do it, changed in place, and removed.
    let file = site.path("tenants.d/more.toml");
    std::fs::write(&file, answering("more", 560)).expect("written");
    eventually("a new tenant", || status("more.test").contains("560"));
    std::fs::rename(&file, site.path("tenants.d/more.toml~")).expect("kept");
    std::fs::write(&file, answering("more", 561)).expect("written");
    eventually("the other answer", || status("more.test").contains("561"));
    std::fs::write(&file, answering("more", 562)).expect("written");
    eventually("another answer", || status("more.test").contains("562"));
    std::fs::remove_file(&file).expect("removed");
    eventually("the first tenant", || get_of(dev.address(), "more.test").1 == "fixed");
    // A folder that replaces another, and the main file.
    std::fs::create_dir(site.path("new.d")).expect("a folder");
    std::fs::write(site.path("new.d/last.toml"), answering("last", 563)).expect("written");
    std::fs::rename(site.path("tenants.d"), site.path("old.d")).expect("away");
    std::fs::rename(site.path("new.d"), site.path("tenants.d")).expect("in its place");
    eventually("the tenant of the other folder", || status("last.test").contains("563"));
    std::fs::write(&main, text.replace("hostnames = [\"*\"]", "hostnames = [\"shop.test\"]")).expect("written");
    eventually("no tenant", || status("none.test").contains("404"));
    // The module is watched, and its decisions are printed.
    std::fs::copy(example("canary"), site.path("new.wasm")).expect("a module");
    std::fs::rename(site.path("new.wasm"), site.path("router.wasm")).expect("renamed");
    eventually("the new module", || get(dev.address()).1 == "canary");
    dev.signal("TERM");
    let output = dev.ends(0);
    assert!(!output.contains("HTTP/1.1 200"), "no access log: {output}");
}
