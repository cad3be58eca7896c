//! How `pointsman admin` finds a proxy, and how it ends when there is none, or when it gets no valid answer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use crate::cli::ends;
use crate::running::Running;

/// A folder with this configuration.
fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("pointsman.toml"), config).expect("a configuration");
    folder
}

#[track_caller]
fn admin(code: i32, folder: &Path, arguments: &[&str]) -> (String, String) {
    let config = folder.join("pointsman.toml").display().to_string();
    ends(code, &[&["admin", "--config", &config], arguments].concat())
}

/// A fake API that gives each request this answer.
fn answering(socket: &Path, status: &'static str, body: &'static str) {
    let listener = UnixListener::bind(socket).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(&stream, status, body);
        }
    });
}

fn answer(stream: &UnixStream, status: &str, body: &str) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.is_empty() {
            let response = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = (&*stream).write_all(response.as_bytes());
            return;
        }
    }
}

#[test]
fn help_lists_the_exit_codes_of_admin() {
    let (printed, _) = ends(0, &["admin", "--help"]);
    for code in ["0  done", "1  it could not be done", "2  wrong usage", "3  refused"] {
        assert!(printed.contains(code), "{printed}");
    }
}

#[test]
fn api_is_found_by_a_file_that_is_being_edited() {
    let fixed = crate::running::example("fixed");
    let good = format!(
        "[admin]\n[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n\
         [[tenant]]\nname = \"shop\"\nhostnames = [\"*\"]\n[[tenant.module]]\npath = {fixed:?}\n"
    );
    let folder = folder(&good);
    let file = folder.path().join("pointsman.toml");
    let mut proxy = Running::start_file("run", &file);
    proxy.expect_line("see `pointsman admin`");
    std::fs::write(&file, "[admin]\n[[listener]]\nname = 7\ntls = \"half of it\"\n[[tenant]]\n").expect("written");
    admin(3, folder.path(), &["rollback", "shop"]);
    admin(0, folder.path(), &["tenants"]);

    std::fs::write(&file, "[admin\n").expect("written");
    let (_, errors) = admin(1, folder.path(), &["tenants"]);
    assert!(errors.contains("pointsman.toml:1: not valid TOML, ") && errors.contains("--socket PATH"), "{errors}");
    let socket = folder.path().join("pointsman.sock").display().to_string();
    admin(0, folder.path(), &["tenants", "--socket", &socket]);
    std::fs::write(&file, "[admin]\nsocket = 7\n").expect("written");
    let (_, errors) = admin(1, folder.path(), &["tenants"]);
    assert!(errors.contains(":2: admin.socket: must be a string") && errors.contains("--socket PATH"), "{errors}");
    std::fs::write(&file, "[admin]\naddress = \"127.0.0.1:0\"\ntoken_file = \"token\"\n").expect("written");
    let (_, errors) = admin(1, folder.path(), &["tenants"]);
    assert!(errors.contains("port 0, any free one: see the proxy's log"), "{errors}");
    std::fs::write(&file, "").expect("written");
    let (_, errors) = admin(1, folder.path(), &["tenants"]);
    assert!(errors.contains("there is no [admin]"), "{errors}");
}

#[test]
fn unknown_stage_is_wrong_usage() {
    let folder = folder("[admin]");
    let (_, errors) = admin(2, folder.path(), &["push", "shop", "router.wasm", "--stage", "all"]);
    assert!(errors.contains("[possible values: shadow, canary, live]"), "{errors}");
    let (_, errors) = admin(2, folder.path(), &["promote", "shop", "--to", "shadow"]);
    assert!(errors.contains("[possible values: canary, live]"), "{errors}");
    let (_, errors) = admin(2, folder.path(), &["show", "shop/../x"]);
    assert!(errors.contains("a name has letters, digits"), "{errors}");
}

#[test]
fn exit_code_distinguishes_a_refusal_from_no_answer() {
    for (status, body, code) in [
        ("401 Unauthorized", r#"{"error": {"code": "unauthorized", "message": "send the token"}}"#, 1),
        ("403 Forbidden", r#"{"error": {"code": "forbidden", "message": "only /metrics"}}"#, 1),
        ("421 Misdirected Request", r#"{"error": {"code": "host-not-allowed", "message": "add it"}}"#, 1),
        ("429 Too Many Requests", r#"{"error": {"code": "too-many-wrong-tokens", "message": "wait"}}"#, 1),
        ("404 Not Found", r#"{"error": {"code": "not-found", "message": "no such path"}}"#, 1),
        ("500 Internal Server Error", r#"{"error": {"code": "internal", "message": "broken"}}"#, 1),
        ("200 OK", "<html>", 1),
        ("404 Not Found", r#"{"error": {"code": "no-such-tenant", "message": "no tenant"}}"#, 3),
        ("409 Conflict", r#"{"error": {"code": "no-candidate", "message": "none"}}"#, 3),
        ("422 Unprocessable Entity", r#"{"error": {"code": "refused", "message": "bad", "step": "test"}}"#, 3),
    ] {
        let folder = folder("[admin]");
        answering(&folder.path().join("pointsman.sock"), status, body);
        let (_, errors) = admin(code, folder.path(), &["promote", "shop"]);
        assert_eq!(errors.starts_with("error: "), code == 1, "{errors}");
    }
}

#[test]
fn partly_refused_reload_ends_with_3() {
    const PARTLY: &str = r#"{"added": ["a"], "changed": [], "removed": [], "unchanged": 1, "released": [],
        "refused": [{"tenant": "b", "step": "build", "message": "not a module"}]}"#;
    let folder = folder("[admin]");
    answering(&folder.path().join("pointsman.sock"), "200 OK", PARTLY);
    let output = ("added: a\nunchanged: 1\n".to_owned(), "refused at the step `build`: b: not a module\n".to_owned());
    assert_eq!(admin(3, folder.path(), &["reload"]), output);
    let (printed, _) = admin(3, folder.path(), &["reload", "--json"]);
    assert_eq!(crate::cli::json(&printed)["refused"][0]["tenant"], "b");
}

#[test]
fn answer_of_another_version_is_an_error_that_says_so() {
    let folder = folder("[admin]");
    answering(&folder.path().join("pointsman.sock"), "200 OK", r#"{"tenants": [{"name": "shop"}]}"#);
    let (printed, errors) = admin(1, folder.path(), &["tenants"]);
    assert_eq!(printed, "");
    assert!(errors.contains("most likely the proxy runs another version"), "{errors}");
    assert!(errors.contains("missing field `live`"), "{errors}");
    let (printed, _) = admin(0, folder.path(), &["tenants", "--json"]);
    assert_eq!(crate::cli::json(&printed)["tenants"][0]["name"], "shop");
}

/// The operator learns what the proxy said, whatever code it has.
#[test]
fn unknown_error_of_another_version_is_shown() {
    let folder = folder("[admin]");
    let socket = folder.path().join("pointsman.sock");
    answering(&socket, "409 Conflict", r#"{"error": {"code": "x-new", "message": "not while it rains"}}"#);
    let (printed, errors) = admin(3, folder.path(), &["promote", "shop"]);
    assert_eq!((printed.as_str(), errors.as_str()), ("", "x-new: not while it rains\n"));
}

/// Whether a part was refused cannot be seen then.
#[test]
fn reload_of_another_version_is_an_error_even_as_json() {
    let folder = folder("[admin]");
    answering(&folder.path().join("pointsman.sock"), "200 OK", r#"{"unchanged": 1}"#);
    let (printed, errors) = admin(1, folder.path(), &["reload", "--json"]);
    assert_eq!(crate::cli::json(&printed)["unchanged"], 1);
    assert!(errors.contains("most likely the proxy runs another version"), "{errors}");
}

#[test]
fn proxy_that_does_not_answer_times_out() {
    let folder = folder("[admin]");
    // The system accepts the connection, but nobody reads from it.
    let _listener = UnixListener::bind(folder.path().join("pointsman.sock")).expect("a socket");
    let (_, errors) = admin(1, folder.path(), &["tenants", "--timeout", "1"]);
    assert!(errors.contains("the proxy did not answer within 1 s (--timeout)"), "{errors}");
}
