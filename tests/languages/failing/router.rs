//! Fails as bugs do, by the request's path.

use pointsman_guest::{Error, Peer, Request, config, router, shared};

router!(select_peer);

fn select_peer(request: &Request) -> Result<Peer, Error> {
    let table: Vec<Peer> = Vec::new();
    match request.path().as_str() {
        "/panic" => panic!("the table is empty"),
        "/index" => Ok(table[request.attempts().len() + 3].clone()),
        "/none" => Ok(table.first().unwrap().clone()),
        "/shared" => {
            shared::set(&"k".repeat(300), "")?;
            config::text("/stable").map(Peer::http)
        }
        _ => config::text("/stable").map(Peer::http),
    }
}
