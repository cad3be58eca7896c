//! The routing job of `tests/conformance`, in Rust.

mod peer;

use std::fmt::{self, Write};

use pointsman_guest::{
    Decision, Error, Peer, Request, Response, Route, clock, config, hash, log, random, router, shared, upstreams,
};

router!(select_peer, configure => Configured);

struct Configured {
    bytes: usize,
    calls: u32,
}

fn configure() -> Result<Configured, Error> {
    let config = config::json();
    if config.contains("\"refuse\"") {
        return Err(Error::new("refused as told"));
    }
    Ok(Configured { bytes: config.len(), calls: 1 })
}

fn select_peer(request: &Request, configured: &Configured) -> Result<Decision, Error> {
    let path = request.path();
    let part = path.split('/').nth(1).unwrap_or_default();
    let params = request.query_params();
    let named =
        |wanted: &'static str| params.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_str());
    Ok(match part {
        "peer" => peer::route(request, &params)?.into(),
        "echo" => echo(request).into(),
        "attempts" => plain(attempts(request)).into(),
        "failover" => failover(request)?,
        "canary" => canary(request)?.into(),
        "hash" => plain(hashes(named("key"))?).into(),
        "config" => plain(configuration(named("pointer"))).into(),
        "shared" => plain(keep(&params)?).into(),
        "upstreams" => plain(seen(&params)).into(),
        "clock" => plain(ok(clock::now_ms() == clock::now_ms() && clock::now_ms() > 1_600_000_000_000)).into(),
        "random" => plain(ok(random::bits() != random::bits())).into(),
        "log" => {
            write_log(&params);
            Decision::Pass
        }
        "respond" => respond(&params)?.into(),
        "pass" => Decision::Pass,
        "error" => return Err(Error::new(named("text").next().unwrap_or_default())),
        "configured" => plain(format!("configured {} {}\n", configured.bytes, configured.calls)).into(),
        part => return Err(Error::new(format_args!("unknown part {part}"))),
    })
}

fn plain(lines: impl Into<Vec<u8>>) -> Response {
    Response::new(200).header("content-type", "text/plain; charset=utf-8").body(lines)
}

fn ok(is_ok: bool) -> &'static str {
    if is_ok { "ok\n" } else { "wrong\n" }
}

fn or_dash(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn bad(name: &str, value: &str) -> Error {
    Error::new(format_args!("bad value for {name}: {value}"))
}

fn echo(request: &Request) -> Response {
    let mut body = Vec::new();
    let mut line = |parts: &[&[u8]]| {
        body.extend(parts.concat());
        body.push(b'\n');
    };
    line(&[b"method ", request.method().as_bytes()]);
    line(&[b"scheme ", request.scheme().as_bytes()]);
    line(&[b"authority ", request.authority().as_bytes()]);
    line(&[b"host ", request.host().as_bytes()]);
    line(&[b"path ", request.path().as_bytes()]);
    for segment in request.path_segments() {
        line(&[b"segment ", segment.as_bytes()]);
    }
    line(&[b"query ", or_dash(request.query()).as_bytes()]);
    for (name, value) in request.query_params() {
        line(&[b"param ", name.as_bytes(), b"=", value.as_bytes()]);
    }
    line(&[b"client-ip ", request.client_ip().to_string().as_bytes()]);
    line(&[b"listener ", request.listener().as_bytes()]);
    match request.tls() {
        Some(tls) => {
            let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let certificate = or_dash(tls.client_cert_sha256.map(hex));
            line(&[format!("tls {} {} {} {certificate}", or_dash(tls.sni), tls.version, tls.cipher).as_bytes()]);
        }
        None => line(&[b"tls -"]),
    }
    for header in request.headers() {
        line(&[b"header ", header.name.as_bytes(), b":", &header.value]);
    }
    for (name, value) in request.cookies() {
        line(&[b"cookie ", name.as_bytes(), b"=", value.as_bytes()]);
    }
    let mut response = plain(body);
    for value in request.header_values("x-echo") {
        response = response.header("x-echoed", value);
    }
    if let Some(value) = request.header_bytes("x-echo") {
        response = response.header("x-first", value);
    }
    if let Some(text) = request.header("x-echo") {
        response = response.header("x-text", text);
    }
    response
}

fn attempts(request: &Request) -> String {
    let mut lines = String::new();
    for attempt in request.attempts() {
        let reused = if attempt.reused_connection { "reused" } else { "new" };
        let sent = if attempt.request_sent { "sent" } else { "unsent" };
        let (number, address, status) = (attempt.number, attempt.address, or_dash(attempt.status));
        let (stage, failure, elapsed, detail) = (attempt.stage, attempt.failure, attempt.elapsed_ms, attempt.detail);
        let _ = writeln!(lines, "{number} {address} {stage} {failure} {status} {reused} {sent} {elapsed} {detail}");
    }
    lines
}

fn failover(request: &Request) -> Result<Decision, Error> {
    let failed = request.attempts();
    if let Some(last) = failed.last() {
        log::warn(format_args!("{} failed: {}", last.address, last.failure));
    }
    Ok(match config::texts("/upstreams")?.get(failed.len()) {
        Some(upstream) => Route::to(Peer::http(upstream)).on_status([502, 503]).into(),
        None => Response::new(503)
            .header("content-type", "text/plain; charset=utf-8")
            .header("retry-after", "30")
            .body("no upstream is left\n")
            .into(),
    })
}

fn canary(request: &Request) -> Result<Route, Error> {
    let visitor = request.cookie("session").unwrap_or_else(|| request.client_ip().to_string());
    let is_canary = hash::percent(visitor) < config::number("/percent")?;
    let (note, pointer) = if is_canary { ("canary", "/upstreams/1") } else { ("stable", "/upstreams/0") };
    Ok(Route::to(Peer::http(config::text(pointer)?)).note(note))
}

fn hashes<'a>(keys: impl Iterator<Item = &'a str>) -> Result<String, Error> {
    let nodes = config::texts("/upstreams")?;
    let mut lines = String::new();
    for key in keys {
        let rank: Vec<&str> = hash::rank(key, &nodes).into_iter().map(String::as_str).collect();
        let permille = (hash::percent(key) * 10.0) as u32;
        let _ = writeln!(lines, "{:016x} {permille} {}", hash::of(key), rank.join(","));
    }
    Ok(lines)
}

fn configuration<'a>(pointers: impl Iterator<Item = &'a str>) -> String {
    let mut lines = config::json() + "\n";
    for pointer in pointers {
        let _ = writeln!(lines, "{} {}", or_dash(config::get(pointer)), or_dash(config::text(pointer).ok()));
    }
    lines
}

fn keep(params: &[(String, String)]) -> Result<Vec<u8>, Error> {
    let mut lines = Vec::new();
    for (name, value) in params {
        let bad = || bad(name, value);
        let parts: Vec<&str> = value.splitn(3, ':').collect();
        let amount = || parts.get(1).and_then(|amount| amount.parse::<i64>().ok()).ok_or_else(bad);
        let answer: Result<Vec<u8>, shared::Error> = match (name.as_str(), parts.as_slice()) {
            ("add", [key, _]) => shared::add(key, amount()?).map(|sum| format!("add {sum}").into()),
            ("add-ttl", [key, _, ttl]) => {
                let ttl = std::time::Duration::from_millis(ttl.parse().map_err(|_| bad())?);
                shared::add_for(ttl, key, amount()?).map(|sum| format!("add {sum}").into())
            }
            ("counter", [key]) => Ok(format!("counter {}", or_dash(shared::counter(key))).into()),
            ("get", [key]) => Ok([b"get ".to_vec(), shared::get(key).unwrap_or_else(|| b"-".to_vec())].concat()),
            ("set", [key, ..]) if parts.len() > 1 => {
                shared::set(key, &value[key.len() + 1..]).map(|()| b"set".to_vec())
            }
            ("swap", [key, expected, new]) => {
                let expected = Some(expected.as_bytes()).filter(|expected| !expected.is_empty());
                shared::compare_and_set(key, expected, new).map(|swapped| format!("swap {swapped}").into())
            }
            ("delete", [key]) => {
                shared::delete(key);
                Ok(b"delete".to_vec())
            }
            _ => return Err(bad()),
        };
        lines.extend(answer.unwrap_or_else(|error| format!("error {}", error_name(error)).into()));
        lines.push(b'\n');
    }
    Ok(lines)
}

fn error_name(error: shared::Error) -> &'static str {
    match error {
        shared::Error::Full => "full",
        shared::Error::TooLong => "too-long",
        shared::Error::OtherKind => "other-kind",
        shared::Error::Overflow => "overflow",
        shared::Error::Other => "other",
    }
}

fn seen(params: &[(String, String)]) -> String {
    let mut lines = String::new();
    let line = |upstream: upstreams::Upstream| {
        let health = match upstream.health {
            upstreams::Health::Unknown => "unknown",
            upstreams::Health::Healthy => "healthy",
            upstreams::Health::Unhealthy => "unhealthy",
        };
        let (in_flight, latency, failures) = (upstream.in_flight, or_dash(upstream.latency_us), upstream.failures);
        format!("{} {health} {in_flight} {latency} {failures}\n", upstream.address)
    };
    for (name, value) in params {
        match name.as_str() {
            "get" => lines += &line(upstreams::get(value)),
            "group" => match upstreams::group(value) {
                Ok(members) => members.into_iter().for_each(|member| lines += &line(member)),
                Err(_) => lines += &format!("no group {value}\n"),
            },
            _ => {}
        }
    }
    lines
}

fn write_log(params: &[(String, String)]) {
    for (name, text) in params {
        match name.as_str() {
            "trace" => log::trace(text),
            "debug" => log::debug(text),
            "info" => log::info(text),
            "warn" => log::warn(text),
            "error" => log::error(text),
            _ => {}
        }
    }
}

fn respond(params: &[(String, String)]) -> Result<Response, Error> {
    let (mut response, mut body) = (Response::new(200), "");
    for (name, value) in params {
        match name.as_str() {
            "status" => response.status = value.parse().map_err(|_| bad(name, value))?,
            "header" => {
                let (header, value) = value.split_once(':').ok_or_else(|| bad(name, value))?;
                response = response.header(header, value);
            }
            "body" => body = value,
            _ => {}
        }
    }
    Ok(response.body(body))
}

/// The code on the project's front page compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../../README.md")]
struct FrontPage;
