//! A proxy without free file descriptors reports that, and blames neither modules nor upstreams.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::running::{Running, example};

/// Sets the limit of descriptors for the running proxy.
fn limit(proxy: &Running, soft: Option<u64>) {
    let pid = i32::try_from(proxy.id()).ok().and_then(Pid::from_raw).expect("a process");
    let maximum = getrlimit(Resource::Nofile).maximum;
    prlimit(Some(pid), Resource::Nofile, Rlimit { current: soft.or(maximum), maximum }).expect("the limit is set");
}

/// The status and failure code of a response, on a connection that stays open.
fn get(client: &mut BufReader<TcpStream>, host: &str) -> (String, Option<String>) {
    let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
    client.get_mut().write_all(request.as_bytes()).expect("a request");
    let (mut status, mut code, mut length) = (String::new(), None, 0);
    client.read_line(&mut status).expect("a status");
    loop {
        let mut line = String::new();
        client.read_line(&mut line).expect("a header");
        match line.trim().to_ascii_lowercase().split_once(": ") {
            Some(("pointsman-error", value)) => code = Some(value.to_owned()),
            Some(("content-length", value)) => length = value.parse().expect("a length"),
            Some(_) => {}
            None => break,
        }
    }
    client.read_exact(&mut vec![0; length]).expect("a body");
    (status.split(' ').nth(1).unwrap_or_default().to_owned(), code)
}

#[test]
fn running_out_of_descriptors_is_blamed_on_neither_module_nor_upstream() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = upstream.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in upstream.incoming().map_while(Result::ok) {
            let head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            assert!(head.count() > 0);
            // Not kept alive, so that each request needs a new connection.
            let response = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            (&stream).write_all(response).expect("the answer is sent");
        }
    });
    let proxy = Running::start_tenants(
        "",
        &format!(
            "[[tenant]]\nname = \"a\"\nhostnames = [\"a.test\"]\n[[tenant.module]]\npath = {:?}\n\
             config = {{ address = \"{address}\" }}\n[tenant.grants]\nnetworks = [\"127.0.0.0/8\"]\n\
             [tenant.quota]\ncache_entries = 0\n",
            example("fixed"),
        ),
    );
    let connect = || BufReader::new(TcpStream::connect(proxy.address()).expect("a connection"));
    let (overloaded, fine) = (("503".to_owned(), Some("overloaded".to_owned())), ("200".to_owned(), None));
    let mut clients: Vec<_> = (0..3).map(|_| connect()).collect();
    // A response shows that the connection was accepted; it comes from the proxy itself, so no module is called.
    for client in &mut clients {
        assert_eq!(get(client, "nobody.test").0, "404");
    }
    // The module has not been called before, so it needs an instance. A few failures of it would open the breaker.
    limit(&proxy, Some(0));
    for _ in 0..20 {
        assert_eq!(get(&mut clients[0], "a.test"), overloaded);
    }
    limit(&proxy, None);
    for client in &mut clients {
        assert_eq!(get(client, "a.test"), fine);
    }
    // Now the connection to the upstream fails. The client's connection is closed after that.
    limit(&proxy, Some(0));
    for client in &mut clients {
        assert_eq!(get(client, "a.test"), overloaded);
    }
    limit(&proxy, None);
    assert_eq!(get(&mut connect(), "a.test"), fine);
}
