//! Makes a mistake, chosen by the request's path.

use pointsman_guest::{Error, Peer, Request, config, router, shared};

router!(select_peer, configure => String);

fn configure() -> Result<String, Error> {
    config::text("/stable")
}

fn select_peer(request: &Request, stable: &String) -> Result<Peer, Error> {
    let table: Vec<Peer> = Vec::new();
    match request.path().as_str() {
        "/panic" => panic!("the table is empty"),
        "/assert" => assert!(!table.is_empty(), "a table of {} peers", table.len()),
        "/index" => return Ok(table[request.attempts().len() + 3].clone()),
        "/null" => return Ok(table.first().unwrap().clone()),
        "/exit" => std::process::exit(3),
        "/memory" => return Ok(Peer::http(read(1 << 27))),
        "/loop" => search(&table),
        "/recursion" => return Ok(Peer::http(descend(stable, &[0; 16]))),
        "/answer" => return Ok(Peer::http("upstream.internal")),
        "/shared" => shared::set(&"k".repeat(300), "")?,
        _ => {}
    }
    Ok(Peer::http(stable))
}

fn read(size: usize) -> String {
    String::from_utf8(vec![b'x'; size]).unwrap_or_default()
}

fn search(table: &[Peer]) {
    let mut place = 0;
    while place >= table.len() {
        place = (place + 1) % 8;
    }
}

fn descend(path: &str, above: &[u8; 16]) -> String {
    let here = std::hint::black_box(*above);
    match path.is_empty() {
        true => String::new(),
        false => descend(path, &here) + path,
    }
}
