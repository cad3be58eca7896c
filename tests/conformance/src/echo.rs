//! The part `echo`: everything that a module can read of a request.

use http::Method;
use percent_encoding::percent_decode_str;
use pointsman_rules::contract::{Decision, Response};
use pointsman_rules::request::{DownstreamTls, RequestHead};

use crate::case::{Case, TestRequest, header};
use crate::dice::Dice;

pub fn case(dice: &mut Dice) -> Case {
    let request = request(dice);
    let head = request.head();
    let of_echo: Vec<&[u8]> =
        head.headers().filter(|(name, _)| name.as_str() == "x-echo").map(|(_, value)| value.as_bytes()).collect();
    let mut headers = vec![header("content-type", "text/plain; charset=utf-8")];
    headers.extend(of_echo.iter().map(|value| header("x-echoed", value)));
    if let Some(first) = of_echo.first() {
        headers.push(header("x-first", first));
        headers.push(header("x-text", String::from_utf8_lossy(first).as_bytes()));
    }
    let body = body(&head);
    request.expects(Ok(Decision::Respond(Response { status: 200, headers, body })))
}

fn request(dice: &mut Dice) -> TestRequest {
    let mut target = b"/echo".to_vec();
    if dice.once_in(2) {
        target.extend(raw(dice, b"/aZ0-._~!$&'()*+,;=:@|<>\"", 20));
    }
    if dice.once_in(4) {
        target.splice(5..5, *b"/");
    }
    // Only paths that begin with `/echo` and a slash belong to this part.
    if target.get(5).is_some_and(|&next| next != b'/') {
        target.insert(5, b'/');
    }
    if !dice.once_in(3) {
        target.push(b'?');
        target.extend(raw(dice, b"aZ0-._~/?:@&&&===++|", 30));
    }
    let authorities = [
        "shop.example",
        "shop.example:8080",
        "203.0.113.7:80",
        "[2001:db8::1]:8080",
        "[2001:db8::1]",
        "xn--caf-dma.example",
        "",
    ];
    let mut headers = Vec::new();
    for _ in 0..dice.below(7) {
        let name = match dice.below(4) {
            0 => "X-Echo".to_owned(),
            1 => dice.pick(&["accept", "User-Agent", "x-Empty", "accept-language"]).to_owned(),
            _ => dice.name(),
        };
        headers.push((name, if dice.once_in(6) { Vec::new() } else { dice.value() }));
    }
    for _ in 0..dice.below(3) {
        headers.push(("cookie".to_owned(), cookie(dice)));
    }
    dice.shuffle(&mut headers);
    let tls = dice.once_in(2).then(|| DownstreamTls {
        sni: dice.once_in(2).then(|| "shop.example".to_owned()),
        version: dice.pick(&["TLSv1.3", "TLSv1.2"]).to_owned(),
        cipher: dice.pick(&["TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES128-GCM-SHA256"]).to_owned(),
        client_cert_sha256: dice.once_in(2).then(|| (0..32).map(|_| dice.bits() as u8).collect()),
    });
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS, Method::PATCH];
    TestRequest {
        method: match dice.below(7) {
            0 => Method::from_bytes(b"X-PURGE~").expect("a method"),
            _ => methods[dice.below(methods.len())].clone(),
        },
        authority: dice.pick(&authorities),
        headers,
        client_ip: dice.one_of(&["192.0.2.7", "2001:db8::7", "::1", "255.255.255.255"]).parse().expect("an address"),
        listener: dice.pick(&["web", "internal"]),
        tls,
        ..TestRequest::new(target)
    }
}

/// A piece of a request target: these bytes, other encodings of them, broken encodings, and bytes that are not allowed.
fn raw(dice: &mut Dice, alphabet: &[u8], longest: usize) -> Vec<u8> {
    let mut raw = Vec::new();
    for _ in 0..dice.below(longest) {
        match dice.below(10) {
            0 => raw.extend(format!("%{:02x}", dice.bits() as u8).bytes()),
            1 => raw.extend(format!("%{:02X}", dice.bits() as u8).bytes()),
            2 => raw.extend(dice.one_of(&["%C3%A9", "%e6%bc%a2", "%F0%9F%98%80", "%2F", "%20", "%00", "%0a"]).bytes()),
            3 => raw.extend(dice.one_of(&["%", "%2", "%zz", "%%41", "%C3", "%ED%A0%80", "%F0%9F", "é"]).bytes()),
            _ => raw.push(dice.pick(alphabet)),
        }
    }
    raw
}

fn cookie(dice: &mut Dice) -> Vec<u8> {
    let pairs: Vec<Vec<u8>> = (0..dice.below(5))
        .map(|_| match dice.below(8) {
            0 => b"flag".to_vec(),
            1 => b" spaced = \"q v\" ".to_vec(),
            2 => b"=nameless".to_vec(),
            3 => b"empty=".to_vec(),
            4 => b"caf\xe9=cr\xc3\xa8me".to_vec(),
            _ => format!("{}={}=x", dice.name(), dice.bits() % 100).into_bytes(),
        })
        .collect();
    pairs.join(dice.one_of(&["; ", ";", " ;\t"]).as_bytes())
}

fn body(head: &RequestHead) -> Vec<u8> {
    let mut body = Vec::new();
    let mut line = |parts: &[&[u8]]| {
        body.extend(parts.concat());
        body.push(b'\n');
    };
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    line(&[b"method ", head.method().as_bytes()]);
    line(&[b"scheme ", head.scheme().as_bytes()]);
    line(&[b"authority ", head.authority().as_bytes()]);
    let host = match head.authority().rfind(':') {
        Some(colon) if !head.authority()[colon..].contains(']') => &head.authority()[..colon],
        _ => head.authority(),
    };
    line(&[b"host ", host.as_bytes()]);
    line(&[b"path ", head.path().as_bytes()]);
    for segment in head.path().split('/').filter(|segment| !segment.is_empty()) {
        line(&[b"segment ", percent_decode_str(segment).decode_utf8_lossy().as_bytes()]);
    }
    line(&[b"query ", or_dash(head.query()).as_bytes()]);
    for (name, value) in form_urlencoded::parse(head.query().unwrap_or_default().as_bytes()) {
        line(&[b"param ", name.as_bytes(), b"=", value.as_bytes()]);
    }
    line(&[b"client-ip ", head.client_ip().as_bytes()]);
    line(&[b"listener ", head.listener().as_bytes()]);
    match head.tls() {
        Some(tls) => {
            let hex = |digest: &Vec<u8>| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let certificate = tls.client_cert_sha256.as_ref().map(hex);
            let facts =
                [or_dash(tls.sni.as_deref()), tls.version.clone(), tls.cipher.clone(), or_dash(certificate.as_deref())];
            line(&[b"tls ", facts.join(" ").as_bytes()]);
        }
        None => line(&[b"tls -"]),
    }
    for (name, value) in head.headers() {
        line(&[b"header ", name.as_str().as_bytes(), b":", value.as_bytes()]);
    }
    for (name, value) in cookies(head) {
        line(&[b"cookie ", name.as_bytes(), b"=", value.as_bytes()]);
    }
    body
}

/// All cookies of a request, in order.
pub fn cookies(head: &RequestHead) -> Vec<(String, String)> {
    let of_cookies = head.headers().filter(|(name, _)| name.as_str() == "cookie");
    let texts = of_cookies.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let pairs = |text: String| {
        let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect::<Vec<_>>()
    };
    texts.flat_map(pairs).collect()
}
