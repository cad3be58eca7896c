//! Checks the peer record: the address that the connection goes to, and the connection's options.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::check::headers::{self, Message};
use crate::check::refusal::{At, within};
use crate::check::spec::{
    BindSpec, Checked, ConnectProxySpec, ConnectionFields, PeerFields, PeerSpec, SocketSpec, Target, TimeoutSpec,
};
use crate::check::{Forbidden, Policy, Problem, Refusal, address, http_options, tls};
use crate::config::{Grants, TcpKeepalive, UpstreamDefaults};
use crate::contract;

/// Longest isolation value, in bytes.
const LONGEST_ISOLATION: usize = 256;

/// A day, in milliseconds: the longest timeout.
const DAY: u32 = 86_400_000;

/// Refusal of an option that Pingora would silently ignore on a Unix socket.
const NOT_TCP: &str = "it has no effect for a Unix socket";

pub fn check(raw: contract::Peer, policy: &Policy<'_>) -> Result<PeerSpec, Refusal> {
    let target = address::target(&raw.address).and_then(|target| granted(target, policy)).at("peer.address")?;
    let tls = raw.tls.map(|tls| tls::check(tls, &target, policy)).transpose()?;
    let http = http_options::check(&raw.http, tls.is_some(), policy.upstream)?;
    if let Some(isolation) = &raw.isolation
        && isolation.len() > LONGEST_ISOLATION
    {
        return Err(Problem::TooLong { found: isolation.len(), most: LONGEST_ISOLATION }.at("peer.isolation"));
    }
    let connect_proxy = raw.connect_proxy.map(|proxy| connect_proxy(proxy, &target, policy)).transpose()?;
    // The address that this host itself connects to: socket options apply to that connection.
    let next_hop = connect_proxy.as_ref().map_or(&target, |proxy| &proxy.address);
    let connection = ConnectionFields {
        bind_to: raw.bind_to.map(|bind| bind_to(&bind, next_hop, policy)).transpose()?,
        tcp_keepalive: tcp_keepalive(raw.tcp_keepalive.as_ref(), next_hop, policy.upstream)?,
        socket: socket(&raw.socket, next_hop)?,
        connect_proxy,
        http,
        isolation: raw.isolation,
        tls,
        target,
    };
    Ok(Checked(PeerFields { connection: Checked(connection), timeouts: timeouts(&raw.timeouts, policy.upstream)? }))
}

/// Whether the operator allows connections to this target. The address of a name and the file of a path are judged when
/// they are looked up.
fn granted(target: Target, policy: &Policy<'_>) -> Result<Target, Problem> {
    let forbidden = |why| Problem::value(&target.to_string(), why);
    match &target {
        Target::Socket(address) => {
            policy.egress().permit(*address).map_err(forbidden)?;
            Ok(target)
        }
        Target::Name { port, .. } => {
            policy.egress().permit_port(*port).map_err(forbidden)?;
            Ok(target)
        }
        Target::Unix(path) if policy.own.is_path_of_own(path) => Err(forbidden(Forbidden::Own)),
        Target::Unix(path) if covers(policy.grants, path) => Ok(target),
        Target::Unix(_) => Err(Problem::NotGranted { grant: "unix_sockets = [\"...\"]" }),
    }
}

/// Whether the grants cover a Unix socket. Unix sockets lead into the operator's own machine, so each must be granted,
/// by its path or by a folder above it.
fn covers(grants: &Grants, path: &Path) -> bool {
    let path = path.to_string_lossy();
    let covers = |grant: &String| match grant.ends_with('/') {
        true => path.strip_prefix(grant.as_str()).is_some_and(|below| !below.is_empty()),
        false => path == grant.as_str(),
    };
    grants.unix_sockets.iter().any(covers)
}

fn connect_proxy(
    raw: contract::ConnectProxy,
    target: &Target,
    policy: &Policy<'_>,
) -> Result<ConnectProxySpec, Refusal> {
    if matches!(target, Target::Unix(_)) {
        return Err(Problem::Rule("a proxy opens no tunnel to a Unix socket").at("peer.connect-proxy"));
    }
    let address = address::target(&raw.address).and_then(|target| granted(target, policy));
    Ok(ConnectProxySpec {
        address: address.at("peer.connect-proxy.address")?,
        headers: headers::unique(raw.headers, "peer.connect-proxy.headers", Message::Connect)?
            .into_iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect(),
    })
}

fn bind_to(raw: &contract::BindTo, next_hop: &Target, policy: &Policy<'_>) -> Result<BindSpec, Refusal> {
    if !policy.grants.bind_to {
        return Err(Problem::NotGranted { grant: "bind_to = true" }.at("peer.bind-to"));
    }
    let address = raw.address.as_deref().map(address::local).transpose().at("peer.bind-to.address")?;
    // A name's addresses are not known yet; the connection fails later if none has the local address's family.
    if let (Some(local), Target::Socket(remote)) = (address, next_hop)
        && local.is_ipv4() != remote.is_ipv4()
    {
        return Err(Problem::Rule("its address family differs from that of the address to connect to")
            .at("peer.bind-to.address"));
    }
    if matches!(next_hop, Target::Unix(_)) {
        return Err(Problem::Rule(NOT_TCP).at("peer.bind-to"));
    }
    if let Some((first, last)) = raw.port_range {
        if first == 0 || first >= last {
            return Err(
                Problem::Rule("the first port must be at least 1 and below the last").at("peer.bind-to.port-range")
            );
        }
        within_system(first, last, policy.local_ports).at("peer.bind-to.port-range")?;
        if address.is_some_and(|address: SocketAddr| address.port() != 0) {
            return Err(Problem::Rule("the address has a port already").at("peer.bind-to.port-range"));
        }
    } else if raw.fallback {
        return Err(Problem::Rule("it has no effect without `port-range`").at("peer.bind-to.fallback"));
    }
    if address.is_none() && raw.port_range.is_none() {
        return Err(Problem::Rule("it names neither an address nor a port range").at("peer.bind-to"));
    }
    Ok(BindSpec { address, port_range: raw.port_range, fallback: raw.fallback })
}

/// Whether a port range lies within the system's. The kernel silently uses only the part that does.
fn within_system(first: u16, last: u16, system: Option<(u16, u16)>) -> Result<(), Problem> {
    match system {
        Some((least, most)) if least <= first && last <= most => Ok(()),
        Some((least, most)) => Err(Problem::value(
            &format!("{first}-{last}"),
            format_args!("is not within this system's local ports, {least}-{most} (`net.ipv4.ip_local_port_range`)"),
        )),
        None => Err(Problem::Rule("this system's kernel has no port ranges for a socket (Linux 6.3 has)")),
    }
}

/// Keepalive for the next hop. A Unix socket gets no tenant default, and a module's own setting for one is refused.
fn tcp_keepalive(
    raw: Option<&contract::TcpKeepalive>,
    next_hop: &Target,
    defaults: &UpstreamDefaults,
) -> Result<Option<TcpKeepalive>, Refusal> {
    match (raw, next_hop) {
        (None, Target::Unix(_)) => Ok(None),
        (Some(_), Target::Unix(_)) => Err(Problem::Rule(NOT_TCP).at("peer.tcp-keepalive")),
        (None, Target::Socket(_) | Target::Name { .. }) => Ok(defaults.tcp_keepalive),
        (Some(raw), Target::Socket(_) | Target::Name { .. }) => probes(raw).map(Some),
    }
}

fn probes(raw: &contract::TcpKeepalive) -> Result<TcpKeepalive, Refusal> {
    // The kernel's own limits: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT.
    const LONGEST: u32 = 32_767;
    const MOST_PROBES: u32 = 127;
    let seconds =
        |value, field| within(value, 1, LONGEST, " s").at(field).map(|value| Duration::from_secs(value.into()));
    Ok(TcpKeepalive {
        idle: seconds(raw.idle_s, "peer.tcp-keepalive.idle-s")?,
        interval: seconds(raw.interval_s, "peer.tcp-keepalive.interval-s")?,
        count: within(raw.count, 1, MOST_PROBES, " probes").at("peer.tcp-keepalive.count")?,
        user_timeout: within(raw.user_timeout_ms, 0, DAY, " ms")
            .at("peer.tcp-keepalive.user-timeout-ms")
            .map(|value| Duration::from_millis(value.into()))?,
    })
}

fn socket(raw: &contract::SocketOptions, next_hop: &Target) -> Result<SocketSpec, Refusal> {
    if matches!(next_hop, Target::Unix(_)) {
        for (given, field) in [
            (raw.dscp.is_some(), "peer.socket.dscp"),
            (raw.tcp_recv_buf.is_some(), "peer.socket.tcp-recv-buf"),
            (raw.tcp_fast_open, "peer.socket.tcp-fast-open"),
        ] {
            if given {
                return Err(Problem::Rule(NOT_TCP).at(field));
            }
        }
    }
    if let Some(dscp) = raw.dscp {
        within(dscp.into(), 0, 63, "").at("peer.socket.dscp")?;
    }
    if let Some(bytes) = raw.tcp_recv_buf {
        within(bytes, 1024, 268_435_456, " bytes").at("peer.socket.tcp-recv-buf")?;
    }
    Ok(SocketSpec { dscp: raw.dscp, tcp_recv_buf: raw.tcp_recv_buf, tcp_fast_open: raw.tcp_fast_open })
}

fn timeouts(raw: &contract::Timeouts, defaults: &UpstreamDefaults) -> Result<TimeoutSpec, Refusal> {
    let timeout = |value: Option<u32>, least, default, field| match value {
        None => Ok(default),
        Some(value) => within(value, least, DAY, " ms").at(field).map(|value| Duration::from_millis(value.into())),
    };
    Ok(TimeoutSpec {
        connect: timeout(raw.connect_ms, 1, defaults.connect_timeout, "peer.timeouts.connect-ms")?,
        total_connect: timeout(
            raw.total_connect_ms,
            1,
            defaults.total_connect_timeout,
            "peer.timeouts.total-connect-ms",
        )?,
        read: timeout(raw.read_ms, 1, defaults.read_timeout, "peer.timeouts.read-ms")?,
        write: timeout(raw.write_ms, 1, defaults.write_timeout, "peer.timeouts.write-ms")?,
        idle: timeout(raw.idle_ms, 0, defaults.idle_timeout, "peer.timeouts.idle-ms")?,
    })
}
