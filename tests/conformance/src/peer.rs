//! The part `peer`: generates a record first, and then the request that produces it.

use pointsman_rules::contract::{
    Alpn, BindTo, ConnectProxy, Decision, Header, Quirks, Route, TcpKeepalive, Tls, Upgrade, Verify,
};

use crate::case::{Case, TestRequest, header};
use crate::dice::Dice;

/// A record in progress, and the parameters that produce it.
struct Record<'d> {
    dice: &'d mut Dice,
    route: Route,
    parameters: Vec<(&'static str, String)>,
    headers: Vec<(String, Vec<u8>)>,
}

pub fn case(dice: &mut Dice) -> Case {
    let address = dice.one_of(&["192.0.2.1:80", "[2001:db8::1]:443", "shop.example:443", "unix:/run/é.sock", ""]);
    let mut record = Record { dice, route: Route::to(address), parameters: Vec::new(), headers: Vec::new() };
    let mut groups: Vec<fn(&mut Record<'_>)> =
        vec![tls, connect_proxy, bind_to, timeouts, http, socket, keepalive, names, rewrite, retry];
    record.dice.shuffle(&mut groups);
    record.parameters.push(("address", address.to_owned()));
    let all = record.dice.once_in(10);
    for group in groups {
        if all || record.dice.once_in(3) {
            group(&mut record);
        }
    }
    let wrong = record.dice.once_in(8).then(|| record.wrong());
    let Record { dice, route, parameters, headers } = record;
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut request = TestRequest::part(dice, "peer", &parameters);
    request.headers = headers;
    request.expects(match wrong {
        Some(error) => Err(error),
        None => Ok(Decision::Connect(route)),
    })
}

impl Record<'_> {
    fn chosen(&mut self) -> bool {
        self.dice.once_in(2)
    }

    fn set(&mut self, name: &'static str, value: impl ToString) {
        self.parameters.push((name, value.to_string()));
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.dice.text();
        self.set(name, &text);
        Some(text)
    }

    fn u32(&mut self, name: &'static str) -> Option<u32> {
        let number = self.dice.number(u32::MAX.into()) as u32;
        self.set(name, number);
        Some(number)
    }

    fn bool(&mut self, name: &'static str) -> bool {
        let yes = self.dice.once_in(2);
        self.set(name, yes);
        yes
    }

    fn one_of<T: Copy>(&mut self, name: &'static str, cases: &[(&str, T)]) -> T {
        let (text, case) = self.dice.pick(cases);
        self.set(name, text);
        case
    }

    fn header(&mut self, name: &'static str) -> Header {
        let header = header(&self.dice.name(), self.dice.text());
        self.set(name, format!("{}:{}", header.name, String::from_utf8_lossy(&header.value)));
        header
    }

    /// One more parameter, which is invalid, and its error.
    fn wrong(&mut self) -> String {
        const WRONG: [(&str, &[&str]); 16] = [
            ("connect-ms", &["", "-1", "1.5", "4294967296", "soon", "99999999999999999999", "1e3"]),
            ("dscp", &["256", "-1", "high", ""]),
            ("attempts", &["two", "0x10", "-2"]),
            ("on-status", &["65536", "5xx"]),
            ("verify", &["", "Full", "some"]),
            ("alpn", &["h3", "H2", "http/1.1"]),
            ("upgrade", &["yes", ""]),
            ("quirk", &["keep", "", "KEEP_HOP_BY_HOP"]),
            ("second-key-share", &["yes", "", "True"]),
            ("bind-ports", &["1", "1-", "-5", "1-65536", "a-b", "1-2-3"]),
            ("keepalive", &["1,2,3", "1,2,3,4,5", "a,b,c,d", ""]),
            ("set", &["no colon", ""]),
            ("copy", &["x-raw", ""]),
            ("tcp-fast-open", &["1", "TRUE"]),
            ("max-h2-streams", &["many", "4294967297"]),
            ("bind-fallback", &["perhaps"]),
        ];
        if self.dice.once_in(4) {
            let name = self.dice.pick(&["Address", "address ", "timeout", "é", "peer", "sni-name"]);
            self.set(name, "1");
            return format!("unknown parameter {name}");
        }
        let (name, values) = self.dice.pick(&WRONG);
        let value = self.dice.one_of(values);
        self.set(name, value);
        if self.dice.once_in(2) {
            // Only the first error counts.
            self.set("note", "late");
            self.set("unheard-of", "1");
        }
        format!("bad value for {name}: {value}")
    }
}

fn tls(record: &mut Record<'_>) {
    let none = Tls {
        sni: None,
        verify: Verify::Full,
        alternative_cn: None,
        ca: None,
        client_cert: None,
        curves: None,
        second_key_share: None,
    };
    let mut tls = none;
    if record.chosen() {
        record.set("tls", "");
    } else {
        tls.sni = record.text("sni");
    }
    if record.chosen() {
        tls.verify = record
            .one_of("verify", &[("full", Verify::Full), ("chain-only", Verify::ChainOnly), ("none", Verify::None)]);
    }
    if record.chosen() {
        tls.alternative_cn = record.text("alternative-cn");
        tls.client_cert = record.text("client-cert");
    }
    if record.chosen() {
        tls.ca = record.text("ca");
        tls.curves = record.text("curves");
        tls.second_key_share = Some(record.bool("second-key-share"));
    }
    record.route.peer.tls = Some(tls);
}

fn connect_proxy(record: &mut Record<'_>) {
    let address = record.text("connect-proxy").unwrap_or_default();
    let headers = (0..record.dice.below(4)).map(|_| record.header("proxy-header")).collect();
    record.route.peer.connect_proxy = Some(ConnectProxy { address, headers });
}

fn bind_to(record: &mut Record<'_>) {
    let mut bind_to = BindTo { address: None, port_range: None, fallback: false };
    if record.chosen() {
        bind_to.address = record.text("bind-address");
    }
    if record.chosen() {
        let mut port = || record.dice.number(u16::MAX.into()) as u16;
        let (first, last) = (port(), port());
        record.set("bind-ports", format!("{first}-{last}"));
        bind_to.port_range = Some((first, last));
    }
    if record.chosen() || bind_to == (BindTo { address: None, port_range: None, fallback: false }) {
        bind_to.fallback = record.bool("bind-fallback");
    }
    record.route.peer.bind_to = Some(bind_to);
}

fn timeouts(record: &mut Record<'_>) {
    record.route.peer.timeouts.connect_ms = record.u32("connect-ms");
    if record.chosen() {
        record.route.peer.timeouts.total_connect_ms = record.u32("total-connect-ms");
        record.route.peer.timeouts.idle_ms = record.u32("idle-ms");
    }
    if record.chosen() {
        record.route.peer.timeouts.write_ms = record.u32("write-ms");
        record.route.peer.timeouts.read_ms = record.u32("read-ms");
    }
}

fn http(record: &mut Record<'_>) {
    record.route.peer.http.alpn = record.one_of("alpn", &[("h1", Alpn::H1), ("h2", Alpn::H2), ("h2h1", Alpn::H2h1)]);
    if record.chosen() {
        record.route.peer.http.max_h2_streams = record.u32("max-h2-streams");
        record.route.peer.http.h2_stream_window = record.u32("h2-stream-window");
    }
    if record.chosen() {
        record.route.peer.http.h2_ping_interval_ms = record.u32("h2-ping-interval-ms");
        record.route.peer.http.h2_connection_window = record.u32("h2-connection-window");
    }
    if record.chosen() {
        let upgrades = [("websocket", Upgrade::Websocket), ("any", Upgrade::Any), ("deny", Upgrade::Deny)];
        record.route.peer.http.upgrade = record.one_of("upgrade", &upgrades);
    }
    for _ in 0..record.dice.below(4) {
        let quirk = record.one_of(
            "quirk",
            &[
                ("keep-hop-by-hop", Quirks::KEEP_HOP_BY_HOP),
                ("keep-connection-nominated", Quirks::KEEP_CONNECTION_NOMINATED),
                ("accept-malformed-connection", Quirks::ACCEPT_MALFORMED_CONNECTION),
                ("accept-invalid-content-length", Quirks::ACCEPT_INVALID_CONTENT_LENGTH),
            ],
        );
        record.route.peer.http.quirks |= quirk;
    }
}

fn socket(record: &mut Record<'_>) {
    let dscp = record.dice.number(u8::MAX.into()) as u8;
    record.set("dscp", dscp);
    record.route.peer.socket.dscp = Some(dscp);
    if record.chosen() {
        record.route.peer.socket.tcp_recv_buf = record.u32("tcp-recv-buf");
    }
    if record.chosen() {
        record.route.peer.socket.tcp_fast_open = record.bool("tcp-fast-open");
    }
}

fn keepalive(record: &mut Record<'_>) {
    let mut number = || record.dice.number(u32::MAX.into()) as u32;
    let keepalive = TcpKeepalive { idle_s: number(), interval_s: number(), count: number(), user_timeout_ms: number() };
    let TcpKeepalive { idle_s, interval_s, count, user_timeout_ms } = &keepalive;
    record.set("keepalive", format!("{idle_s},{interval_s},{count},{user_timeout_ms}"));
    record.route.peer.tcp_keepalive = Some(keepalive);
}

fn names(record: &mut Record<'_>) {
    if record.chosen() {
        record.route.peer.isolation = record.text("isolation");
    }
    record.route.note = record.text("note");
}

fn rewrite(record: &mut Record<'_>) {
    if record.chosen() {
        record.route.rewrite.authority = record.text("authority");
        record.route.rewrite.path_and_query = record.text("path-and-query");
    }
    for _ in 0..record.dice.below(3) {
        let name = record.text("remove").unwrap_or_default();
        record.route.rewrite.remove_headers.push(name);
    }
    for _ in 0..record.dice.below(3) {
        let header = record.header("set");
        record.route.rewrite.set_headers.push(header);
    }
    for _ in 0..record.dice.below(3) {
        let header = record.header("add");
        record.route.rewrite.add_headers.push(header);
    }
    if record.chosen() {
        let (to, value) = (record.dice.name(), record.dice.value());
        record.set("copy", format!("x-raw:{to}"));
        record.set("copy", "x-not-there:x-never");
        record.headers.push(("X-Raw".to_owned(), value.clone()));
        record.headers.push(("x-raw".to_owned(), b"the second".to_vec()));
        record.route.rewrite.set_headers.push(header(&to, value));
    }
}

fn retry(record: &mut Record<'_>) {
    if record.chosen() {
        record.route.retry.attempts = record.u32("attempts");
    }
    for _ in 0..record.dice.below(5) {
        let status = record.dice.number(u16::MAX.into()) as u16;
        record.set("on-status", status);
        record.route.retry.on_status.push(status);
    }
}
