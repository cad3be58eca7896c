//! `check` reports everything that `run` would refuse, in the same words, and changes nothing.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::cli::ends;
use crate::live::Site;
use crate::running::example;

/// Tables of a configuration, a function that prepares its folder, and part of the line that reports the problem.
type Case = (&'static str, fn(&Path), &'static str);

fn nothing(_: &Path) {}

fn file(folder: &Path) {
    std::fs::write(folder.join("file"), "text").expect("written");
}

fn open_folder(folder: &Path) {
    std::fs::create_dir(folder.join("open")).expect("a folder");
    set_permissions(folder.join("open"), Permissions::from_mode(0o755)).expect("a mode");
}

const CASES: [Case; 29] = [
    ("[log]\naccess = { file = \"none/access.log\" }", nothing, "log.access: cannot open `"),
    ("[log]\naccess = { file = \"file/access.log\" }", file, "access.log`: Not a directory"),
    ("[log]\naccess = { file = \"open\" }", open_folder, "open`: Is a directory"),
    ("[proxy]\nstate_dir = \"file\"", file, "proxy.state_dir: cannot use `"),
    ("[proxy]\nstate_dir = \"file/state\"", file, "state`: Not a directory"),
    (
        "[proxy]\nstate_dir = \"open\"",
        |folder| {
            open_folder(folder);
            std::fs::write(folder.join("open/tenants"), "").expect("written");
        },
        "open/tenants`: Not a directory",
    ),
    ("[proxy]\nstate_dir = \"/proc/1/state\"", nothing, "proxy.state_dir: cannot use `/proc/1/state`: "),
    ("[proxy]\ncache_dir = \"file\"", file, "file`: it is not a folder"),
    ("[proxy]\ncache_dir = \"file/cache\"", file, "cache`: cannot use it: Not a directory"),
    ("[proxy]\ncache_dir = \"open\"", open_folder, "others may use it (mode 755)"),
    ("[proxy]\nupgrade_socket = \"open/upgrade.sock\"", open_folder, "is open to others (mode 755)"),
    ("[proxy]\nupgrade_socket = \"none/upgrade.sock\"", nothing, "cannot use the folder `"),
    ("[proxy]\nupgrade_socket = \"file/upgrade.sock\"", file, "is not a folder"),
    ("[proxy]\nca_file = \"none.pem\"", nothing, "proxy.ca_file: cannot use `"),
    ("[proxy]\nca_file = \"file\"", file, "proxy.ca_file: cannot use `"),
    ("[admin]\nsocket = \"none/admin.sock\"", nothing, "admin.sock: No such file or directory"),
    ("[admin]\nsocket = \"file/admin.sock\"", file, "admin.sock: Not a directory"),
    ("[admin]\nsocket = \"file\"", file, "file: there is a file of that name"),
    ("[admin]\nsocket = \"open\"", open_folder, "open: there is a file of that name"),
    (
        "[admin]\nsocket = \"a-name-that-is-far-too-long-for-a-unix-socket-since-with-its-folder-it-has-more-bytes-than-fit.sock\"",
        nothing,
        "its path may have 107 bytes at most",
    ),
    ("[admin]\naddress = \"127.0.0.1:0\"\ntoken_file = \"none\"", nothing, "admin.token_file: cannot use `"),
    (
        "[admin]\naddress = \"127.0.0.1:0\"\ntoken_file = \"file\"",
        |folder| {
            file(folder);
            set_permissions(folder.join("file"), Permissions::from_mode(0o600)).expect("a mode");
        },
        "the token has 4 characters",
    ),
    (
        "[admin]\naddress = \"127.0.0.1:0\"\ntoken_file = \"file\"",
        |folder| {
            std::fs::write(folder.join("file"), "x".repeat(64)).expect("written");
            set_permissions(folder.join("file"), Permissions::from_mode(0o644)).expect("a mode");
        },
        "others may read it (mode 644)",
    ),
    ("[admin]\naddress = \"127.0.0.1:0\"\ntoken_file = \"open\"", open_folder, "admin.token_file: cannot use `"),
    ("[resolver]\nhosts_file = \"none\"", nothing, "none"),
    ("[[ca]]\nname = \"inner\"\nfile = \"none.pem\"", nothing, "none.pem"),
    ("[[ca]]\nname = \"inner\"\nfile = \"file\"", file, "file"),
    ("[[client_cert]]\nname = \"own\"\ncertificate = \"file\"\nkey = \"file\"", file, "file"),
    (
        "[[listener]]\nname = \"tls\"\naddress = \"127.0.0.1:0\"\n[listener.tls]\ncertificate = \"file\"\nkey = \"file\"",
        file,
        "listener `tls`",
    ),
];

/// Everything below a folder, with sizes.
fn list(folder: &Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let about = entry.metadata().expect("metadata");
        all.push((entry.path(), about.len()));
        if about.is_dir() {
            all.extend(list(&entry.path()));
        }
    }
    all.sort();
    all
}

#[test]
fn check_and_run_refuse_the_same_files_with_the_same_line() {
    for (tables, prepare, expected) in CASES {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path());
        let text = format!(
            "{tables}\n[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n\
             [[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n[[tenant.module]]\npath = {:?}\n",
            example("fixed")
        );
        let file = folder.path().join("pointsman.toml");
        std::fs::write(&file, text).expect("a configuration");
        let file = file.display().to_string();
        let before = list(folder.path());
        let (printed, of_check) = ends(3, &["check", "--config", &file]);
        assert_eq!(list(folder.path()), before, "{tables}: check made something");
        assert!(
            printed.is_empty() && of_check.contains(expected) && of_check.lines().count() == 1,
            "{tables}: {of_check}"
        );
        let (_, of_run) = ends(1, &["run", "--config", &file]);
        assert_eq!(of_run, format!("error: {of_check}"), "{tables}");
    }
}

#[test]
fn run_reports_all_problems_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "[proxy]\nstate_dir = \"pointsman.toml\"\ncache_dir = \"pointsman.toml\"\n[log]\naccess = {{ file = \"none/a\" }}\n\
         [[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n\
         [[tenant]]\nname = \"a\"\nhostnames = [\"*\"]\n[[tenant.module]]\npath = {:?}\n",
        example("fixed")
    );
    let file = folder.path().join("pointsman.toml");
    std::fs::write(&file, text).expect("a configuration");
    let file = file.display().to_string();
    let (_, of_check) = ends(3, &["check", "--config", &file]);
    let (_, of_run) = ends(1, &["run", "--config", &file]);
    assert_eq!(of_run, format!("error: {of_check}"));
    assert_eq!(of_run.lines().count(), 3, "{of_run}");
}

#[test]
fn run_reports_the_problems_of_every_tenant() {
    let folder = tempfile::tempdir().expect("a folder");
    let tenant = |name: &str, modules: &[&str]| {
        let modules = modules.iter().map(|path| format!("[[tenant.module]]\npath = \"{path}\"\n"));
        format!("[[tenant]]\nname = \"{name}\"\nhostnames = [\"{name}.test\"]\n{}", modules.collect::<String>())
    };
    let text = [
        "[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n".to_owned(),
        tenant("a", &["none.wasm", "pointsman.toml"]),
        tenant("b", &["none.wasm"]),
    ];
    let file = folder.path().join("pointsman.toml");
    std::fs::write(&file, text.concat()).expect("a configuration");
    let file = file.display().to_string();
    let (_, of_check) = ends(3, &["check", "--config", &file]);
    let (_, of_run) = ends(3, &["run", "--config", &file]);
    assert_eq!(of_run, of_check);
    let lines: Vec<&str> = of_run.lines().collect();
    assert_eq!(lines.len(), 3, "{of_run}");
    for (line, expected) in lines.iter().zip(["tenant `a`: module `", "tenant `a`: module `", "tenant `b`: module `"]) {
        assert!(line.starts_with(expected), "{of_run}");
    }
}

#[test]
fn check_during_a_run_reports_nothing_and_changes_nothing() {
    let site = Site::new();
    site.edit(|text| format!("[log]\naccess = {{ file = \"access.log\" }}\n{text}"));
    let proxy = site.start();
    let before = list(&site.path(""));
    let file = site.path("pointsman.toml").display().to_string();
    let (printed, errors) = ends(0, &["check", "--config", &file]);
    assert!(printed.contains(": ok (listeners: 1") && errors.is_empty(), "{printed}{errors}");
    assert_eq!(list(&site.path("")), before);
    site.admin(0, &["tenants"]);
    proxy.kill();
    // Nor does a socket that it left behind.
    ends(0, &["check", "--config", &file]);
}

#[test]
fn check_creates_no_file_that_a_start_would_create() {
    let site = Site::new();
    site.edit(|text| format!("[log]\naccess = {{ file = \"access.log\" }}\n{text}"));
    let before = list(&site.path(""));
    ends(0, &["check", "--config", &site.path("pointsman.toml").display().to_string()]);
    assert_eq!(list(&site.path("")), before);
    let _other = UnixListener::bind(site.path("admin.sock")).expect("a socket");
    ends(0, &["check", "--config", &site.path("pointsman.toml").display().to_string()]);
}
