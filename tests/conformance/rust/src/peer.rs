//! The part `peer`: each parameter sets a field of the record.

use std::str::FromStr;

use pointsman_guest::{
    Alpn, BindTo, ConnectProxy, Error, Header, Peer, Quirks, Request, Route, TcpKeepalive, Tls, Upgrade, Verify,
};

use crate::bad;

pub fn route(request: &Request, params: &[(String, String)]) -> Result<Route, Error> {
    let mut route = Route::to(Peer::http(""));
    for (name, value) in params {
        set(&mut route, request, Parameter { name, value })?;
    }
    Ok(route)
}

#[derive(Clone, Copy)]
struct Parameter<'a> {
    name: &'a str,
    value: &'a str,
}

fn set(route: &mut Route, request: &Request, parameter: Parameter<'_>) -> Result<(), Error> {
    let text = || Some(parameter.value.to_owned());
    let Route { peer, rewrite, retry, .. } = route;
    match parameter.name {
        "address" => peer.address = parameter.value.to_owned(),
        "tls" => _ = tls(peer),
        "sni" => tls(peer).sni = text(),
        "verify" => {
            let cases = [("full", Verify::Full), ("chain-only", Verify::ChainOnly), ("none", Verify::None)];
            tls(peer).verify = parameter.case(cases)?;
        }
        "alternative-cn" => tls(peer).alternative_cn = text(),
        "ca" => tls(peer).ca = text(),
        "client-cert" => tls(peer).client_cert = text(),
        "curves" => tls(peer).curves = text(),
        "second-key-share" => tls(peer).second_key_share = Some(parameter.number()?),
        "connect-proxy" => peer.connect_proxy = Some(ConnectProxy::new(parameter.value)),
        "proxy-header" => {
            let proxy = peer.connect_proxy.as_mut().ok_or_else(|| parameter.bad())?;
            proxy.headers.push(parameter.header()?);
        }
        "bind-address" => bind_to(peer).address = text(),
        "bind-ports" => {
            let (first, last) = parameter.value.split_once('-').ok_or_else(|| parameter.bad())?;
            bind_to(peer).port_range = Some((parameter.part(first)?, parameter.part(last)?));
        }
        "bind-fallback" => bind_to(peer).fallback = parameter.number()?,
        "connect-ms" => peer.timeouts.connect_ms = Some(parameter.number()?),
        "total-connect-ms" => peer.timeouts.total_connect_ms = Some(parameter.number()?),
        "read-ms" => peer.timeouts.read_ms = Some(parameter.number()?),
        "write-ms" => peer.timeouts.write_ms = Some(parameter.number()?),
        "idle-ms" => peer.timeouts.idle_ms = Some(parameter.number()?),
        "keepalive" => {
            let numbers: Vec<u32> =
                parameter.value.split(',').map(|number| parameter.part(number)).collect::<Result<_, _>>()?;
            let [idle_s, interval_s, count, user_timeout_ms] = numbers[..] else { return Err(parameter.bad()) };
            peer.tcp_keepalive = Some(TcpKeepalive { idle_s, interval_s, count, user_timeout_ms });
        }
        "alpn" => peer.http.alpn = parameter.case([("h1", Alpn::H1), ("h2", Alpn::H2), ("h2h1", Alpn::H2h1)])?,
        "max-h2-streams" => peer.http.max_h2_streams = Some(parameter.number()?),
        "h2-ping-interval-ms" => peer.http.h2_ping_interval_ms = Some(parameter.number()?),
        "h2-stream-window" => peer.http.h2_stream_window = Some(parameter.number()?),
        "h2-connection-window" => peer.http.h2_connection_window = Some(parameter.number()?),
        "upgrade" => {
            let cases = [("websocket", Upgrade::Websocket), ("any", Upgrade::Any), ("deny", Upgrade::Deny)];
            peer.http.upgrade = parameter.case(cases)?;
        }
        "quirk" => {
            let quirk = parameter.case([
                ("keep-hop-by-hop", Quirks::KEEP_HOP_BY_HOP),
                ("keep-connection-nominated", Quirks::KEEP_CONNECTION_NOMINATED),
                ("accept-malformed-connection", Quirks::ACCEPT_MALFORMED_CONNECTION),
                ("accept-invalid-content-length", Quirks::ACCEPT_INVALID_CONTENT_LENGTH),
            ])?;
            peer.http.quirks = peer.http.quirks | quirk;
        }
        "dscp" => peer.socket.dscp = Some(parameter.number()?),
        "tcp-recv-buf" => peer.socket.tcp_recv_buf = Some(parameter.number()?),
        "tcp-fast-open" => peer.socket.tcp_fast_open = parameter.number()?,
        "isolation" => peer.isolation = text(),
        "authority" => rewrite.authority = text(),
        "path-and-query" => rewrite.path_and_query = text(),
        "remove" => rewrite.remove_headers.push(parameter.value.to_owned()),
        "set" => rewrite.set_headers.push(parameter.header()?),
        "add" => rewrite.add_headers.push(parameter.header()?),
        "copy" => {
            let (from, to) = parameter.value.split_once(':').ok_or_else(|| parameter.bad())?;
            rewrite.set_headers.extend(request.header_bytes(from).map(|value| Header::new(to, value)));
        }
        "attempts" => retry.attempts = Some(parameter.number()?),
        "on-status" => retry.on_status.push(parameter.number()?),
        "note" => route.note = text(),
        name => return Err(Error::new(format_args!("unknown parameter {name}"))),
    }
    Ok(())
}

fn tls(peer: &mut Peer) -> &mut Tls {
    peer.tls.get_or_insert_default()
}

fn bind_to(peer: &mut Peer) -> &mut BindTo {
    peer.bind_to.get_or_insert(BindTo { address: None, port_range: None, fallback: false })
}

impl Parameter<'_> {
    fn bad(self) -> Error {
        bad(self.name, self.value)
    }

    /// A number, or `true` or `false`.
    fn number<T: FromStr>(self) -> Result<T, Error> {
        self.part(self.value)
    }

    fn part<T: FromStr>(self, part: &str) -> Result<T, Error> {
        part.parse().map_err(|_| self.bad())
    }

    fn case<T, const N: usize>(self, cases: [(&str, T); N]) -> Result<T, Error> {
        cases.into_iter().find(|(name, _)| *name == self.value).map(|(_, case)| case).ok_or_else(|| self.bad())
    }

    fn header(self) -> Result<Header, Error> {
        let (name, value) = self.value.split_once(':').ok_or_else(|| self.bad())?;
        Ok(Header::new(name, value))
    }
}
