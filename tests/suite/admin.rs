//! The admin API, on its socket and over TCP.

use std::path::Path;

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use pointsman_tests::client::{Client, get};
use pointsman_tests::{Live, Proxy, Tenant, Upstream, Wat, example};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UnixStream;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A proxy with its API on a socket, in a folder with its state.
async fn proxy(live: &Live, folder: &TempDir) -> Proxy {
    let keys = format!("watch = false\nstate_dir = {:?}", folder.path().join("state"));
    let admin = format!("socket = {:?}", folder.path().join("admin.sock"));
    Proxy::with(Tenant::new("shop").module(live.path(), "")).proxy(&keys).admin(&admin).start().await
}

/// Sends a request to the API on its socket.
async fn call(folder: &TempDir, method: Method, path: &str, body: &[u8]) -> (u16, Value) {
    call_at(&folder.path().join("admin.sock"), method, path, body).await
}

async fn call_at(socket: &Path, method: Method, path: &str, body: &[u8]) -> (u16, Value) {
    let stream = UnixStream::connect(socket).await.expect("the socket");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let body = Full::new(Bytes::copy_from_slice(body));
    let request = Request::builder().method(method).uri(path).header("host", "admin").body(body).expect("a request");
    let response = sender.send_request(request).await.expect("a response");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&body).expect("JSON"))
}

async fn status(proxy: &Proxy) -> u16 {
    proxy.get("http://shop.test/").await.status
}

#[tokio::test]
async fn module_is_uploaded_promoted_and_rolled_back() {
    let (live, folder) = (Live::new(&Wat::answering(201)), TempDir::new().expect("a folder"));
    let proxy = proxy(&live, &folder).await;
    let (status_code, list) = call(&folder, Method::GET, "/v1/tenants", b"").await;
    assert_eq!(
        (status_code, &list["tenants"][0]["name"], &list["tenants"][0]["live"]),
        (200, &"shop".into(), &1.into())
    );

    let bytes = Wat::answering(202).bytes();
    let (code, valid) = call(&folder, Method::POST, "/v1/tenants/shop/validate", &bytes).await;
    assert_eq!((code, &valid["valid"], status(&proxy).await), (200, &true.into(), 201));
    let (code, canary) = call(&folder, Method::POST, "/v1/tenants/shop/modules?stage=canary", &bytes).await;
    assert_eq!((code, &canary["version"], &canary["stage"]), (200, &2.into(), &"canary".into()));
    let (_, shop) = call(&folder, Method::GET, "/v1/tenants/shop", b"").await;
    assert_eq!((&shop["candidate"]["version"], &shop["live"]), (&2.into(), &1.into()));
    assert_eq!(shop["versions"][0]["state"], "candidate");
    let (code, promoted) = call(&folder, Method::POST, "/v1/tenants/shop/promote", b"").await;
    assert_eq!((code, &promoted["live"], status(&proxy).await), (200, &2.into(), 202));
    let (code, back) = call(&folder, Method::POST, "/v1/tenants/shop/rollback", b"").await;
    assert_eq!((code, &back["version"], status(&proxy).await), (200, &1.into(), 201));
    let (code, again) = call(&folder, Method::POST, "/v1/tenants/shop/rollback?version=2", b"").await;
    assert_eq!((code, &again["version"], status(&proxy).await), (200, &2.into(), 202));

    let (code, _) = call(&folder, Method::POST, "/v1/tenants/shop/modules?stage=shadow", &bytes).await;
    assert_eq!(code, 200);
    let (code, aborted) = call(&folder, Method::POST, "/v1/tenants/shop/abort", b"").await;
    assert_eq!((code, &aborted["candidate"]), (200, &Value::Null));
    let (code, changes) = call(&folder, Method::POST, "/v1/reload", b"").await;
    assert_eq!((code, &changes["unchanged"], status(&proxy).await), (200, &1.into(), 202));
}

#[tokio::test]
async fn impossible_requests_are_refused_with_a_code() {
    let (live, folder) = (Live::new(&Wat::answering(201)), TempDir::new().expect("a folder"));
    let proxy = proxy(&live, &folder).await;
    let post = Method::POST;
    for (method, path, body, status, code) in [
        (Method::GET, "/v1/nothing", &b""[..], 404, "not-found"),
        (Method::GET, "/v1/reload", b"", 405, "method-not-allowed"),
        (Method::GET, "/v1/tenants?x=1", b"", 400, "bad-request"),
        (Method::GET, "/v1/tenants/nobody", b"", 404, "no-such-tenant"),
        (post.clone(), "/v1/tenants/shop/rollback", b"", 409, "nothing-to-roll-back-to"),
        (post.clone(), "/v1/tenants/shop/rollback?version=7", b"", 404, "no-such-version"),
        (post.clone(), "/v1/tenants/shop/rollback?version=1", b"", 409, "already-live"),
        (post.clone(), "/v1/tenants/shop/rollback?version=x", b"", 400, "bad-request"),
        (post.clone(), "/v1/tenants/shop/promote", b"", 409, "no-candidate"),
        (post.clone(), "/v1/tenants/shop/abort", b"", 409, "no-candidate"),
        (post.clone(), "/v1/tenants/shop/modules?stage=all", b"", 400, "bad-request"),
        (post.clone(), "/v1/tenants/shop/modules?position=1", b"", 404, "no-such-module"),
        (post.clone(), "/v1/tenants/shop/modules", b"no module", 422, "refused"),
        (post.clone(), "/v1/tenants/shop/validate", b"no module", 422, "refused"),
    ] {
        let (found, answer) = call(&folder, method, path, body).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &code.into()), "{path}: {answer}");
    }
    let (_, answer) = call(&folder, Method::POST, "/v1/tenants/shop/modules", b"no module").await;
    assert_eq!(answer["error"]["step"], "build");
    let (_, list) = call(&folder, Method::GET, "/v1/failures", b"").await;
    let failures = list["failures"].as_array().expect("failures");
    assert_eq!((failures.len(), &failures[0]["tenant"], &failures[0]["origin"]), (2, &"shop".into(), &"upload".into()));
    std::fs::write(proxy.config_file(), "x").expect("written");
    let (found, answer) = call(&folder, Method::POST, "/v1/reload", b"").await;
    assert_eq!((found, &answer["error"]["code"]), (422, &"config-refused".into()));
    assert_eq!(status(&proxy).await, 201);
}

#[tokio::test]
async fn module_that_is_too_large_is_not_read_to_its_end() {
    let (live, folder) = (Live::new(&Wat::answering(201)), TempDir::new().expect("a folder"));
    let _proxy = proxy(&live, &folder).await;
    let (found, answer) = call(&folder, Method::POST, "/v1/tenants/shop/modules", &vec![0; 64 * 1024 * 1024 + 1]).await;
    assert_eq!((found, &answer["error"]["code"]), (413, &"too-large".into()));
}

#[tokio::test]
async fn upload_needs_a_state_folder() {
    let (live, folder) = (Live::new(&Wat::answering(201)), TempDir::new().expect("a folder"));
    let admin = format!("socket = {:?}", folder.path().join("admin.sock"));
    let _proxy = Proxy::with(Tenant::new("shop").module(live.path(), "")).admin(&admin).start().await;
    let bytes = Wat::answering(202).bytes();
    let (found, answer) = call(&folder, Method::POST, "/v1/tenants/shop/modules", &bytes).await;
    assert_eq!((found, &answer["error"]["code"]), (409, &"no-state-dir".into()));
    assert_eq!(call(&folder, Method::POST, "/v1/tenants/shop/validate", &bytes).await.0, 200);
}

#[tokio::test]
async fn drained_tenant_takes_no_new_requests() {
    let upstream = Upstream::answering("slow").start().await;
    let folder = TempDir::new().expect("a folder");
    let live = Live::of(&std::fs::read(pointsman_tests::example("fixed")).expect("the module"));
    let admin = format!("socket = {:?}", folder.path().join("admin.sock"));
    let shop = Tenant::new("shop").module(live.path(), &format!("address = \"{}\"", upstream.address()));
    let other = Wat::answering(201).file();
    let proxy = Proxy::with(shop).and(Tenant::new("other").module(other.path(), "")).admin(&admin).start().await;
    assert_eq!(status(&proxy).await, 200);
    let (_, drained) = call(&folder, Method::POST, "/v1/tenants/shop/drain", b"").await;
    assert_eq!(drained["drained"], true);
    let reply = proxy.get("http://shop.test/").await;
    assert_eq!((reply.status, reply.code()), (503, Some("tenant-drained")));
    assert_eq!(proxy.get("http://other.test/").await.status, 201);
    // It survives a reload.
    call(&folder, Method::POST, "/v1/reload", b"").await;
    assert_eq!(status(&proxy).await, 503);
    call(&folder, Method::POST, "/v1/tenants/shop/resume", b"").await;
    assert_eq!(status(&proxy).await, 200);
}

#[tokio::test]
async fn socket_is_accessible_to_the_proxys_own_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (live, folder) = (Live::new(&Wat::answering(201)), TempDir::new().expect("a folder"));
    let _proxy = proxy(&live, &folder).await;
    let mode = std::fs::metadata(folder.path().join("admin.sock")).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A second proxy does not remove it.
    let admin = format!("socket = {:?}", folder.path().join("admin.sock"));
    let second = Proxy::with(Tenant::new("shop").module(live.path(), "")).admin(&admin).try_start().await;
    assert!(second.err().expect("a refusal to start").contains("admin: cannot listen on"));
}

/// A grant covers the admin socket, and modules try every path to it.
#[tokio::test]
async fn no_module_can_reach_the_admin_socket() {
    use std::os::unix::fs::symlink;
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let admin = format!("socket = {:?}", path("admin.sock"));
    let lab = || Tenant::new("lab").module(example("lab"), "");
    let grants = "[tenant.grants]\nunix_sockets = [\"/\"]";
    let proxy = Proxy::with(lab().table(grants)).admin(&admin).start().await;
    assert_eq!(call(&folder, Method::GET, "/v1/tenants", b"").await.0, 200);
    symlink(path("admin.sock"), path("link")).expect("a link");
    std::fs::hard_link(path("admin.sock"), path("hard")).expect("a link");

    // A path that equals the one in the configuration is refused when the decision is checked.
    for address in [path("admin.sock"), path("admin.sock").replace('/', "//")] {
        let reply = proxy.order(format!(r#"{{"address": "unix:{address}"}}"#)).await;
        assert_eq!((reply.status, reply.code()), (500, Some("decision-refused")), "{address}");
    }
    let elsewhere = [
        path("link"),
        path("hard"),
        format!("/proc/self/root{}", path("admin.sock")),
        format!("/proc/{}/root{}", std::process::id(), path("hard")),
    ];
    for address in &elsewhere {
        let reply = proxy.order(format!(r#"{{"address": "unix:{address}"}}"#)).await;
        assert_eq!((reply.status, reply.code()), (502, Some("upstream-unreachable")), "{address}");
        let tunnel = format!(r#"{{"address": "api.test:80", "connect-proxy": {{"address": "unix:{address}"}}}}"#);
        let reply = proxy.order(&tunnel).await;
        assert_eq!((reply.status, reply.code()), (502, Some("upstream-unreachable")), "through {address}");
    }
    let lines = proxy.log(10).await;
    assert!(lines.iter().any(|line| line.to_string().contains("is a listener of this proxy itself")), "{lines:?}");
    std::fs::rename(path("admin.sock"), path("moved")).expect("renamed");
    let reply = proxy.order(format!(r#"{{"address": "unix:{}"}}"#, path("moved"))).await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-unreachable")));
    drop(proxy);

    // A fallback is another way to it.
    let trap = Wat::select_peer("unreachable").file();
    let with = |address: &str| {
        let peer = format!("[tenant.failure.peer]\naddress = \"unix:{address}\"\n{grants}");
        Proxy::with(Tenant::new("shop").module(trap.path(), "").table(&peer)).admin(&admin)
    };
    let refused = with(&path("admin.sock")).try_start().await.err().expect("a refusal to start");
    assert!(refused.contains("is a listener of this proxy itself"), "{refused}");
    let proxy = with(&path("link")).start().await;
    let reply = proxy.get("http://shop.test/v1/tenants").await;
    assert_eq!((reply.status, reply.code()), (502, Some("upstream-unreachable")));
}

#[tokio::test]
async fn api_over_tcp_requires_the_token() {
    use std::os::unix::fs::PermissionsExt as _;
    let (live, folder) = (Live::new(&Wat::answering(201)), TempDir::new().expect("a folder"));
    let file = folder.path().join("token");
    let shop = || Tenant::new("shop").module(live.path(), "");
    let admin = format!("token_file = {file:?}");
    let write = |token: &str, mode| {
        std::fs::write(&file, token).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    write("short\n", 0o600);
    let error = Proxy::with(shop()).admin(&admin).try_start().await.err().expect("a refusal to start");
    assert!(error.contains("at least 32 are needed"), "{error}");
    write(TOKEN, 0o644);
    let error = Proxy::with(shop()).admin(&admin).try_start().await.err().expect("a refusal to start");
    assert!(error.contains("others may read it (mode 644)"), "{error}");
    write(TOKEN, 0o600);
    let proxy = Proxy::with(shop()).admin(&admin).start().await;
    let call = async |path: &str, token: &str| {
        let mut request = get(&format!("http://localhost{path}"));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::default()).expect("a request");
        Client::http1(proxy.admin_address()).await.send(request).await.expect("a response").status
    };
    assert_eq!(call("/v1/tenants", TOKEN).await, 200);
    assert_eq!(call("/v1/tenants", "").await, 401);
    assert_eq!(call("/v1/tenants", &TOKEN.replace('f', "e")).await, 401);
    assert_eq!(call("/metrics", "").await, 200);

    // From the reload on, another token is valid; an invalid one refuses the reload.
    let other = TOKEN.replace('f', "e");
    write("short\n", 0o600);
    let refused = proxy.reload().await.expect_err("a refusal");
    assert!(refused.contains("admin.token_file: ") && refused.contains("at least 32 are needed"), "{refused}");
    write(&other, 0o600);
    assert_eq!((call("/v1/tenants", TOKEN).await, call("/v1/tenants", &other).await), (200, 401));
    proxy.reload().await.expect("a good token");
    assert_eq!((call("/v1/tenants", TOKEN).await, call("/v1/tenants", &other).await), (401, 200));
    let without = Proxy::with(shop()).start().await;
    assert_eq!(Client::http1(without.admin_address()).await.get("http://localhost/v1/tenants").await.status, 403);
}
