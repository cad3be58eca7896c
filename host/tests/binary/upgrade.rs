//! Upgrades to a new program, and the signals that control them.

use std::fs::{File, OpenOptions, Permissions, set_permissions};
use std::io::{BufRead, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use crate::cli::ends;
use crate::live::{Site, eventually, get};
use crate::running::{PATIENCE, Running, signal};

/// A configuration file that takes as long to read as the test wants: a pipe, whose reader waits for the test to
/// write.
pub struct Slow<'a> {
    site: &'a Site,
    pub text: String,
}

impl Slow<'_> {
    pub fn new(site: &Site) -> Slow<'_> {
        let path = site.path("pointsman.toml");
        let text = std::fs::read_to_string(&path).expect("a configuration");
        std::fs::remove_file(&path).expect("removed");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        Slow { site, text }
    }

    /// Waits until a process opens it for reading; that process then waits for input.
    pub fn is_read(&self) -> File {
        let path = self.site.path("pointsman.toml");
        let no_wait = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag");
        let mut pipe = None;
        eventually("a reader", || {
            pipe = OpenOptions::new().write(true).custom_flags(no_wait).open(&path).ok();
            pipe.is_some()
        });
        pipe.expect("a pipe")
    }

    /// Turns it back into a regular file.
    pub fn end(self) {
        let path = self.site.path("pointsman.toml");
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, &self.text).expect("written");
    }
}

impl Running {
    /// Upgrades it, waits until it has ended, and returns the process that took its place.
    fn is_upgraded(&mut self) -> u32 {
        self.signal("USR2");
        self.expect_line("upgrade: the successor is loading");
        self.expect_line("stopped");
        self.successor()
    }
}

#[test]
fn upgrade_loses_no_request_and_one_that_fails_changes_nothing() {
    let site = Site::new();
    let mut proxy = site.start();
    let address = proxy.address();
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(get(address), ("HTTP/1.1 200 OK".to_owned(), "fixed".to_owned()));
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let more = |requests: usize| {
            let before = served.load(Ordering::Relaxed);
            eventually("more requests", || served.load(Ordering::Relaxed) >= before + requests);
        };
        more(50);
        std::fs::rename(site.path("router.wasm"), site.path("away.wasm")).expect("renamed");
        std::fs::rename(site.path("state"), site.path("state-away")).expect("renamed");
        proxy.signal("USR2");
        proxy.expect_line("upgrade: the successor ended; this process continues");
        more(50);
        std::fs::rename(site.path("away.wasm"), site.path("router.wasm")).expect("renamed");
        std::fs::remove_dir_all(site.path("state")).expect("removed");
        std::fs::rename(site.path("state-away"), site.path("state")).expect("renamed");
        proxy.signal("USR2");
        proxy.expect_line("upgrade: the successor is loading");
        proxy.expect_line("stopped");
        more(50);
        done.store(true, Ordering::Relaxed);
    });
    site.admin(0, &["tenants"]);
    signal("TERM", proxy.successor());
    proxy.ends(0);
}

#[test]
fn process_without_the_socket_is_not_upgraded() {
    let site = Site::new();
    let line = "upgrade_socket = \"upgrade.sock\"\n";
    site.edit(|text| text.replace(line, ""));
    let mut proxy = site.start();
    site.edit(|text| text.replace("[proxy]\n", &format!("[proxy]\n{line}")));
    proxy.signal("USR2");
    proxy.expect_line(
        "upgrade: refused; this process continues error=\"this process was started without `proxy.upgrade_socket`",
    );
    assert_eq!(get(proxy.address()).1, "fixed");
    proxy.signal("TERM");
    let log = proxy.ends(0);
    assert!(!log.contains("the successor is loading"), "{log}");
}

#[test]
fn one_successor_loads_at_a_time_and_no_reload_meanwhile() {
    let site = Site::new();
    let mut proxy = site.start();
    let slow = Slow::new(&site);
    proxy.signal("USR2");
    proxy.expect_line("upgrade: the successor is loading");
    proxy.signal("USR2");
    proxy.expect_line("the successor that was started before is still loading");
    proxy.signal("HUP");
    proxy.expect_line("the proxy is being upgraded or is shutting down: try again in a moment");
    slow.is_read().write_all(b"nonsense").expect("written");
    proxy.expect_line("upgrade: the successor ended; this process continues");
    slow.end();
    proxy.signal("HUP");
    proxy.expect_line("configuration reloaded");
    let successor = proxy.is_upgraded();
    assert_eq!(get(proxy.address()).1, "fixed");
    signal("TERM", successor);
    proxy.ends(0);
}

#[test]
fn signals_do_not_wait_for_a_reload() {
    let site = Site::new();
    let mut proxy = site.start();
    let slow = Slow::new(&site);
    proxy.signal("HUP");
    let mut first = slow.is_read();
    proxy.signal("HUP");
    first.write_all(slow.text.as_bytes()).expect("written");
    drop(first);
    proxy.expect_line("configuration reloaded");
    // A request that arrived during the reload is not lost.
    slow.is_read().write_all(slow.text.as_bytes()).expect("written");
    proxy.expect_line("configuration reloaded");
    proxy.signal("HUP");
    let _unread = slow.is_read();
    proxy.signal("TERM");
    proxy.expect_line("stopping");
    proxy.ends(0);
}

#[test]
fn folder_of_the_socket_is_ours_alone() {
    let site = Site::new();
    set_permissions(site.path(""), Permissions::from_mode(0o755)).expect("a mode");
    let (_, errors) = ends(1, &["run", "--config", &site.path("pointsman.toml").display().to_string()]);
    assert!(errors.contains("is open to others (mode 755)") && errors.contains("chmod 700 it"), "{errors}");
}

#[test]
fn listeners_may_go_but_not_move() {
    let site = Site::new();
    let old = "[[listener]]\nname = \"old\"\naddress = \"127.0.0.1:0\"\n";
    site.edit(|text| text.replace("[[tenant]]", &format!("{old}[[tenant]]")));
    let mut proxy = site.start();
    let (web, old_address) = (proxy.address_of("web"), proxy.address_of("old"));
    assert_eq!(get(old_address).1, "fixed");

    let elsewhere = "name = \"web\"\naddress = \"127.0.0.2:0\"";
    site.edit(|text| text.replace("name = \"web\"\naddress = \"127.0.0.1:0\"", elsewhere));
    proxy.signal("USR2");
    proxy.expect_line(&format!("listener `web` is at {web} in the running process, and was to be at 127.0.0.2:0"));
    proxy.expect_line("upgrade: the successor ended; this process continues");
    site.edit(|text| text.replace("127.0.0.2:0", "127.0.0.1:0"));

    site.edit(|text| text.replace(old, ""));
    let successor = proxy.is_upgraded();
    assert_eq!(get(web).1, "fixed");
    let refused = TcpStream::connect(old_address).expect_err("nothing listens there");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    signal("TERM", successor);
    proxy.ends(0);
}

#[test]
fn successor_recognizes_its_own_listeners() {
    let fixed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let site = Site::leading_to(fixed);
    let mut proxy = site.start();
    let web = proxy.address();
    site.edit(|text| text.replace(&fixed.to_string(), &web.to_string()));
    let successor = proxy.is_upgraded();
    let (status, body) = get(web);
    assert!(status.contains("500") && body.contains("decision-refused"), "{status} {body}");
    signal("TERM", successor);
    proxy.ends(0);
}

/// An upstream that answers `/held` when the test lets it, and echoes WebSocket connections.
fn slow_upstream() -> (SocketAddr, Receiver<Sender<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, held) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || -> std::io::Result<()> {
                let mut reader = BufReader::new(&stream);
                loop {
                    let Some(head) = head(&mut reader)? else { return Ok(()) };
                    if head.contains("websocket") {
                        let switch =
                            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
                        (&stream).write_all(switch.as_bytes())?;
                        std::io::copy(&mut reader, &mut &stream)?;
                        return Ok(());
                    }
                    if head.starts_with("GET /held") {
                        let (release, released) = channel();
                        let _ = sender.send(release);
                        let _ = released.recv_timeout(PATIENCE);
                    }
                    (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone")?;
                }
            });
        }
    });
    (address, held)
}

/// Reads an HTTP/1.1 head. None: the stream has ended.
fn head(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(head.to_ascii_lowercase().replacen("get ", "GET ", 1)))
}

/// A client connection that stays open.
struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    fn to(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let reader = BufReader::new(stream.try_clone().expect("a copy"));
        Client { stream, reader }
    }

    fn send(&mut self, path: &str, headers: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: shop.test\r\n{headers}\r\n");
        self.stream.write_all(request.as_bytes()).expect("written");
    }

    /// Reads the head of a response.
    fn head(&mut self) -> String {
        head(&mut self.reader).expect("a head").expect("a response")
    }

    fn expect_bytes(&mut self, expected: &str) {
        let mut bytes = vec![0; expected.len()];
        self.reader.read_exact(&mut bytes).expect("bytes");
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    }

    fn is_closed(&mut self) {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).expect("the end of the stream");
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }
}

/// Opens a tunnel to the echoing upstream. Pingora 0.9.1 occasionally closes a tunnel whose upstream switches protocols
/// before the end of the request's empty body is forwarded: in that case, opens another one.
fn web_socket(address: SocketAddr) -> Client {
    let mut open = None;
    eventually("a tunnel that stays", || {
        let mut socket = Client::to(address);
        socket.send("/", "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n");
        assert!(socket.head().starts_with("http/1.1 101"));
        let mut echo = [0; 5];
        let sent = socket.stream.write_all(b"hello");
        if sent.and_then(|()| socket.reader.read_exact(&mut echo)).is_ok() {
            open = Some(socket);
        }
        open.is_some()
    });
    open.expect("a tunnel")
}

#[test]
fn connections_from_before_an_upgrade_are_served_to_their_end() {
    let (upstream, held) = slow_upstream();
    let site = Site::leading_to(upstream);
    let mut proxy = site.start();
    let address = proxy.address();
    let (mut idle, mut busy, mut socket) = (Client::to(address), Client::to(address), web_socket(address));
    for kept in [&mut idle, &mut busy] {
        kept.send("/", "");
        assert!(kept.head().starts_with("http/1.1 200"));
        kept.expect_bytes("done");
    }
    busy.send("/held", "");
    let mut begun = Client::to(address);
    begun.stream.write_all(b"GET / HTTP/1.1\r\n").expect("written");
    let release = held.recv_timeout(PATIENCE).expect("a request");

    proxy.signal("USR2");
    proxy.expect_line("stopping: no new connections");
    begun.stream.write_all(b"host: shop.test\r\n\r\n").expect("written");
    assert!(begun.head().starts_with("http/1.1 200"));
    begun.expect_bytes("done");
    begun.is_closed();
    // The client may retry on another connection, which the successor accepts.
    idle.is_closed();
    assert_eq!(get(address).1, "done");
    socket.stream.write_all(b"still there?").expect("written");
    socket.expect_bytes("still there?");
    release.send(()).expect("it waits");
    assert!(busy.head().starts_with("http/1.1 200"));
    busy.expect_bytes("done");
    busy.is_closed();
    socket.stream.write_all(b"and now?").expect("written");
    socket.expect_bytes("and now?");
    drop(socket);
    proxy.expect_line("stopped");
    let successor = proxy.successor();
    assert_eq!(get(address).1, "done");
    signal("TERM", successor);
    proxy.ends(0);
}

#[test]
fn service_manager_is_notified_of_the_main_process() {
    let site = Site::new();
    let path = site.path("notify.sock");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let notification = || {
        let mut bytes = [0; 256];
        let length = manager.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned()
    };
    let config = site.path("pointsman.toml");
    let mut proxy = Running::start_in("run", &config, &[("NOTIFY_SOCKET", &path)]);
    assert_eq!(notification(), format!("READY=1\nMAINPID={}\n", proxy.id()));
    let successor = proxy.is_upgraded();
    assert_eq!(notification(), format!("READY=1\nMAINPID={successor}\n"));
    signal("TERM", successor);
    proxy.ends(0);
}
