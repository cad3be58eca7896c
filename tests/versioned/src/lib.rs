//! A module that reports which version of it decided, and detects two versions that decide one request.
//!
//! Tests make any number of versions of it by replacing `version-a` in the file's bytes.

use std::hint::black_box;

use pointsman_guest::{Decision, Error, Peer, Request, Response, Route, config, router};

router!(select_peer);

fn select_peer(request: &Request) -> Result<Decision, Error> {
    // Opaque to the compiler, which would otherwise compare letters instead of keeping the name in one place.
    let version = black_box("version-a");
    // An address for this version only, where nothing listens.
    let refusing = format!("127.0.1.{}:{}", version.as_bytes()[version.len() - 1], config::text("/closed_port")?);

    match request.attempts().first() {
        None if request.path().starts_with("/retry") => Ok(Peer::http(refusing).into()),
        Some(first) if first.address != refusing => {
            Ok(Response::new(500).text(format!("{version} after {}\n", first.address)).into())
        }
        None | Some(_) => Ok(Route::to(Peer::http(config::text("/upstream")?)).set_header("x-version", version).into()),
    }
}
