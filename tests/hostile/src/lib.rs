//! A module that misbehaves as its configuration selects (`does`). The suite `hostile` covers behaviour that only
//! hand-written Wasm can have; this module covers what any author's Rust can do.

use std::hint::black_box;

use pointsman_guest::{Decision, Error, Peer, Request, Response, Route, config, log, random, router, shared};

router!(select_peer);

fn select_peer(request: &Request) -> Result<Decision, Error> {
    match config::text("/does")?.as_str() {
        "nothing" => {}
        "spin" => spin(u64::MAX),
        // Just within its budget: the worst case that the host has no reason to end.
        "compute" => spin(config::number("/rounds")?),
        "panic" => panic!("as configured"),
        "recurse" => drop(black_box(recurse(1))),
        "allocate" => allocate(),
        "string" => return Err(Error::new("x".repeat(40 * 1024 * 1024))),
        "headers" => return Ok(many_headers().into()),
        "body" => return Ok(Response::new(200).text("x".repeat(8 * 1024 * 1024)).into()),
        "log" => (0..1_000).for_each(|_| log::error("\u{1b}[31m\nforged\r\n".repeat(50))),
        "imports" => loop {
            black_box(request.headers());
        },
        "keys" => keep_keys(),
        "tenth" if shared::add("calls", 1)? % 10 == 0 => panic!("the tenth"),
        "tenth" => {}
        "peers" => return peers(),
        "forge" => return forge(),
        other => return Err(Error::new(format_args!("`{other}` is not a known behaviour"))),
    }
    Ok(Response::new(204).into())
}

fn spin(rounds: u64) {
    let mut sum = 0_u64;
    for round in 0..rounds {
        sum = black_box(sum.wrapping_mul(31).wrapping_add(round));
    }
}

fn recurse(depth: u64) -> u64 {
    if black_box(depth) == 0 { 0 } else { depth + recurse(black_box(depth + 1)) }
}

fn allocate() {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 64 * 1024]));
    }
}

fn many_headers() -> Response {
    (0..100_000).fold(Response::new(200), |response, number| response.header(format!("x-{number}"), "x"))
}

/// Until the store is full: that is an error, and no failure.
fn keep_keys() {
    while shared::set(&format!("key {}", random::bits()), [0; 1024]).is_ok() {}
}

/// All entries differ.
fn peers() -> Result<Decision, Error> {
    let mut peer = Peer::http(config::text("/address")?);
    peer.isolation = Some(format!("{:x}", random::bits()));
    Ok(peer.into())
}

/// Addresses that no tenant is granted, in every notation.
fn forge() -> Result<Decision, Error> {
    const ADDRESSES: [&str; 20] = [
        "127.0.0.1:22",
        "127.1:80",
        "2130706433:80",
        "0x7f.0.0.1:80",
        "0177.0.0.1:80",
        "[::1]:80",
        "[::ffff:127.0.0.1]:80",
        "[::127.0.0.1]:80",
        "[64:ff9b::7f00:1]:80",
        "[2002:7f00:1::]:80",
        "169.254.169.254:80",
        "[fd00:ec2::254]:80",
        "0.0.0.0:80",
        "255.255.255.255:80",
        "224.0.0.1:80",
        "100.64.0.1:80",
        "unix:/var/run/docker.sock",
        "203.0.113.7:25",
        "localhost\0.example:80",
        "a@127.0.0.1:80",
    ];
    let next = usize::try_from(shared::add("calls", 1)?).unwrap_or(0);
    Ok(Route::to(Peer::http(ADDRESSES[next % ADDRESSES.len()])).into())
}
