//! The output of the binary, and the exit codes that `--help` promises.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::running::{Running, config, example, repository};

/// The program, which keeps the modules that it compiles in a folder of the tests.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.args(arguments).env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Runs a command that must exit with this code, and returns its output.
#[track_caller]
pub fn ends(code: i32, arguments: &[&str]) -> (String, String) {
    ended(code, &mut command(arguments))
}

/// The same in a folder, with the user's cache in its folder `cache`.
#[track_caller]
pub fn ends_in(folder: &Path, code: i32, arguments: &[&str]) -> (String, String) {
    ended(code, command(arguments).current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache")))
}

#[track_caller]
fn ended(code: i32, command: &mut Command) -> (String, String) {
    let output = command.output().expect("the binary runs");
    let printed = String::from_utf8(output.stdout).expect("text");
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{printed}\n{errors}");
    (printed, errors)
}

#[track_caller]
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn help_lists_the_exit_codes() {
    let (printed, _) = ends(0, &["--help"]);
    for code in ["0  success", "1  it could not be done", "2  wrong usage", "3  refused"] {
        assert!(printed.contains(code), "{printed}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    ends(2, &[]);
    ends(2, &["fly"]);
    ends(2, &["decide"]);
    ends(2, &["decide", "--config", "a.toml", "--module", "a.wasm", "http://shop.test/"]);
}

#[test]
fn check_accepts_every_example() {
    for name in ["demo", "fixed", "canary", "sticky", "failover", "least-loaded", "quota", "rewrite", "table", "lab"] {
        let file = repository().join("examples").join(name).join("pointsman.toml").display().to_string();
        let (printed, _) = ends(0, &["check", "--config", &file]);
        assert!(printed.contains(": ok (listeners: 1"), "{printed}");
    }
}

/// Modules are built in a separate process, which receives the requests to warm them up with.
#[test]
fn module_that_is_built_elsewhere_starts_warm_too() {
    for warm in ["always", "auto"] {
        // `start_with` has read the log up to the line that says it listens.
        let proxy = Running::start_with("", &format!("warm = {warm:?}\n"));
        assert_eq!(proxy.output.contains("its instances start warm"), warm == "always", "{}", proxy.output);
        proxy.kill();
    }
}

#[test]
fn check_reports_every_problem_and_ends_with_3() {
    let file = config("[[listener]]\nname = \"web\"\naddress = \"nowhere\"\n[[tenant]]\nname = \"a b\"\n");
    let (_, errors) = ends(3, &["check", "--config", &file.path().display().to_string()]);
    for part in [":3: listener[0].address: ", ":5: tenant[0].name: ", "tenant[0].hostnames: ", "tenant[0].module: "] {
        assert!(errors.contains(part), "{errors}");
    }
}

#[test]
fn check_reports_every_refused_module() {
    let text = "[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n\
                [[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n\
                [[tenant.module]]\npath = \"/no/such.wasm\"\n[[tenant.module]]\npath = \"/dev/null\"\n\
                [[tenant.module]]\npath = \"/etc/passwd\"\n";
    let (_, errors) = ends(3, &["check", "--config", &config(text).path().display().to_string()]);
    assert!(errors.contains("`/no/such.wasm`: cannot read"), "{errors}");
    assert!(errors.contains("`/dev/null`: cannot read `/dev/null`: not a regular file"), "{errors}");
    assert!(errors.contains("`/etc/passwd`: not a WebAssembly file"), "{errors}");
}

#[test]
fn check_reports_grants_that_a_tenant_lacks() {
    let text = format!(
        "[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:8080\"\n\
         [[tenant]]\nname = \"a\"\nhostnames = [\"a\"]\n[[tenant.module]]\npath = {fixed:?}\n\
         [tenant.failure.peer]\naddress = \"10.0.0.1:80\"\n\
         [[tenant]]\nname = \"b\"\nhostnames = [\"b\"]\n[[tenant.module]]\npath = {fixed:?}\n\
         [tenant.grants]\nnetworks = [\"127.0.0.1\"]\n\
         [[tenant.group]]\nname = \"loop\"\naddresses = [\"127.0.0.1:8080\"]\n",
        fixed = example("fixed")
    );
    let file = config(&text);
    let (_, errors) = ends(3, &["check", "--config", &file.path().display().to_string()]);
    assert!(
        errors.contains("tenant `a`: failure.peer: `peer.address`: `10.0.0.1:80` is of a private network"),
        "{errors}"
    );
    assert!(
        errors.contains("tenant `b`: group `loop`: `127.0.0.1:8080` is a listener of this proxy itself"),
        "{errors}"
    );
}

#[test]
fn missing_configuration_is_reported_by_name() {
    let (_, errors) = ends(3, &["run", "--config", "/no/such.toml"]);
    assert_eq!(errors, "/no/such.toml: cannot be read: No such file or directory (os error 2)\n");
}

#[test]
fn address_in_use_ends_with_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let text = format!(
        "[[listener]]\nname = \"web\"\naddress = \"{address}\"\n[[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n\
         [[tenant.module]]\npath = \"{}\"\n",
        example("fixed")
    );
    let (_, errors) = ends(1, &["run", "--config", &config(&text).path().display().to_string()]);
    assert!(
        errors.contains(&format!("listener `web`: cannot listen on {address}: Address already in use")),
        "{errors}"
    );
}

#[test]
fn no_cause_is_printed_twice() {
    let file = config(
        "[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n[listener.tls]\ncertificate = \"no.pem\"\nkey = \"no\"\n\
         [[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n[[tenant.module]]\npath = \"no.wasm\"\n",
    );
    let file = file.path().display().to_string();
    let (_, of_check) = ends(3, &["check", "--config", &file]);
    let (_, of_run) = ends(1, &["run", "--config", &file]);
    for (errors, lines) in [(&of_check, 2), (&of_run, 1)] {
        assert!(errors.contains("listener `web`: cannot use the certificate in `"), "{errors}");
        for line in errors.lines() {
            assert_eq!((line.matches("No such file").count(), errors.lines().count()), (1, lines), "{errors}");
            assert!(line.matches("cannot ").count() == 1, "{errors}");
        }
    }
}

#[test]
fn decide_shows_reads_decision_and_checked_peer() {
    let (printed, _) = ends(
        0,
        &[
            "decide",
            "--module",
            &example("canary"),
            "--module-config",
            r#"{"stable": "1.1.1.1:80", "canary": "1.1.1.2:80", "percent": 0}"#,
            "-H",
            "x-canary: always",
            "http://shop.test/cart",
        ],
    );
    let report = json(&printed);
    assert_eq!(report["asked"][0]["answered"], "connect");
    assert_eq!(report["asked"][0]["reads"][0]["read"], "header-text(\"x-canary\")");
    assert_eq!(report["asked"][0]["reads"][0]["saw"], "always");
    assert!(report["asked"][0]["microseconds"].is_u64() && report["asked"][0]["memory_bytes"].is_u64());
    assert_eq!(report["outcome"]["connect"]["peer"]["connection"]["address"], "1.1.1.2:80");
    assert_eq!(report["outcome"]["connect"]["note"], "canary");
}

#[test]
fn decide_shows_a_refusal_and_ends_with_3() {
    let (printed, _) = ends(
        3,
        &[
            "decide",
            "--module",
            &example("lab"),
            "-H",
            r#"pointsman-lab: {"address": "127.1:80"}"#,
            "http://shop.test/",
        ],
    );
    let refused = &json(&printed)["outcome"]["refused"];
    assert_eq!((&refused["code"], &refused["client_gets_status"]), (&"decision-refused".into(), &500.into()));
    assert!(refused["reason"].as_str().is_some_and(|cause| cause.contains("`peer.address`: `127.1:80`")), "{refused}");
}

#[test]
fn decide_simulates_failed_attempts() {
    let config = r#"{"upstreams": ["1.1.1.1:80", "1.1.1.2:80"]}"#;
    let first = "1.1.1.1:80=connect/refused";
    let module = example("failover");
    let base = ["decide", "--module", &module, "--module-config", config, "http://shop.test/"];
    let (printed, _) = ends(0, &[&base[..], &["--failed", first]].concat());
    assert_eq!(json(&printed)["outcome"]["connect"]["peer"]["connection"]["address"], "1.1.1.2:80");
    let (printed, _) = ends(0, &[&base[..], &["--failed", first, "--failed", "1.1.1.2:80=receive/timeout"]].concat());
    assert_eq!(json(&printed)["outcome"]["respond"]["status"], 503);
    let (_, errors) = ends(1, &[&base[..], &["--failed", "1.1.1.1:80=flying/refused"]].concat());
    assert!(errors.contains("no stage `flying`; one of resolve, connect"), "{errors}");
}

#[test]
fn inspect_shows_a_module_and_why_it_is_refused() {
    let (printed, _) = ends(0, &["inspect", &example("fixed")]);
    let inspection = json(&printed);
    assert_eq!((&inspection["kind"], &inspection["refused"]), (&"core module".into(), &Value::Null));
    assert_eq!(inspection["exports"], serde_json::json!(["select-peer"]));
    assert_eq!(inspection["needs"]["memory_bytes"], 131_072);

    let (printed, _) = ends(3, &["inspect", &repository().join("README.md").display().to_string()]);
    assert!(
        json(&printed)["refused"].as_str().is_some_and(|why| why.starts_with("not a WebAssembly file")),
        "{printed}"
    );
}

#[test]
fn run_ends_gracefully_on_each_signal() {
    for signal in ["TERM", "QUIT", "INT"] {
        let running = Running::start("");
        running.signal(signal);
        assert!(running.ends(0).contains("stopped"));
    }
}

#[test]
fn grants_are_logged_at_the_start() {
    let mut running = Running::start_with("", "[tenant.grants]\nnetworks = [\"10.0.0.0/8\"]\nbind_to = true");
    assert!(running.output.contains("networks 10.0.0.0/8; bind_to") && running.output.contains("tenant=a"));
    running.signal("TERM");
    running.expect_line("stopping");
    running.ends(0);
}

#[test]
fn sighup_reloads_credentials_and_keeps_the_old_ones_if_that_fails() {
    let roots = tempfile::NamedTempFile::new().expect("a file");
    let pem = "-----BEGIN CERTIFICATE-----\nMIIBaDCCAQ+gAwIBAgIUAw==\n-----END CERTIFICATE-----\n";
    std::fs::copy("/etc/ssl/certs/ca-certificates.crt", roots.path()).expect("the system's roots");
    let mut running = Running::start(&format!("[[ca]]\nname = \"inner\"\nfile = {:?}", roots.path()));
    running.signal("HUP");
    running.expect_line("configuration reloaded");
    std::fs::write(roots.path(), pem).expect("a file");
    running.signal("HUP");
    running.expect_line("configuration not reloaded; the previous one is still in use");
    running.signal("TERM");
    running.ends(0);
}
