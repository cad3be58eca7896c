//! Egress policy: connections may go to the public internet, and beyond it where the operator granted it.
//!
//! The policy judges the addresses that will be connected to, after names are resolved. An IPv6 address that embeds an
//! IPv4 address leads to it, so both must be allowed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::check::{OwnAddresses, SocketError};
use crate::config::Grants;

/// The egress policy of a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Egress<'a> {
    /// `networks` allows addresses beyond the public internet; `ports` allows ports of protocols other than HTTP.
    pub grants: &'a Grants,
    pub own: &'a OwnAddresses,
}

/// An address that a tenant may not connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("{0} and not granted to the tenant; to allow it, the operator adds it to `networks` in `[tenant.grants]`")]
    NotGranted(Kind),
    #[error(
        "has a port of another protocol ({0}), and that is not granted to the tenant; if it is meant, the operator adds it \
         to `ports` in `[tenant.grants]`"
    )]
    Port(u16),
    #[error("is a listener of this proxy itself, to which no module may connect")]
    Own,
}

/// The purpose of an address that is not part of the public internet (IANA's registries of special-purpose addresses).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Unspecified,
    Loopback,
    Private,
    CarrierGrade,
    LinkLocal,
    Multicast,
    Documentation,
    Reserved,
}

impl Egress<'_> {
    /// Whether a connection to this address is allowed.
    pub fn permit(&self, address: SocketAddr) -> Result<(), Forbidden> {
        self.permit_port(address.port())?;
        let ip = address.ip().to_canonical();
        let carried = match ip {
            IpAddr::V4(_) => [None, None],
            IpAddr::V6(ip) => embedded(ip),
        };
        let mut ways = std::iter::once(ip).chain(carried.into_iter().flatten().map(IpAddr::V4));
        if ways.any(|ip| self.own.contains(ip, address.port())) {
            return Err(Forbidden::Own);
        }
        if self.grants.networks.iter().any(|network| network.contains(&ip)) {
            return Ok(());
        }
        match kind(ip) {
            Some(kind) => Err(Forbidden::NotGranted(kind)),
            None => Ok(()),
        }
    }

    /// Whether a connection to the Unix socket at this path is allowed, judged by the file that the path leads to.
    pub fn permit_socket(&self, path: &Path) -> Result<(), SocketError> {
        self.own.permit_socket(path)
    }

    /// Whether a connection to this port is allowed, wherever it goes.
    pub fn permit_port(&self, port: u16) -> Result<(), Forbidden> {
        match OTHER_PROTOCOLS.binary_search(&port) {
            Ok(_) if !self.grants.ports.contains(&port) => Err(Forbidden::Port(port)),
            _ => Ok(()),
        }
    }
}

/// Ports of protocols that an HTTP request can attack: a mail server, for example, reads the lines of a body as
/// commands. The list is the browsers' (Fetch standard, "bad port"), sorted.
const OTHER_PROTOCOLS: [u16; 82] = [
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
    111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
    540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
    6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

fn kind(ip: IpAddr) -> Option<Kind> {
    match ip {
        IpAddr::V4(ip) => V4.iter().find(|(network, _)| network.contains(&ip)).map(|(_, kind)| *kind),
        IpAddr::V6(ip) => {
            let own = V6.iter().find(|(network, _)| network.contains(&ip)).map(|(_, kind)| *kind);
            own.or_else(|| embedded(ip).into_iter().flatten().find_map(|ip| kind(IpAddr::V4(ip))))
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

const V4: [(Ipv4Net, Kind); 15] = [
    (v4(0, 0, 0, 8), Kind::Unspecified),
    (v4(127, 0, 0, 8), Kind::Loopback),
    (v4(10, 0, 0, 8), Kind::Private),
    (v4(172, 16, 0, 12), Kind::Private),
    (v4(192, 168, 0, 16), Kind::Private),
    (v4(100, 64, 0, 10), Kind::CarrierGrade),
    // Includes cloud metadata: 169.254.169.254.
    (v4(169, 254, 0, 16), Kind::LinkLocal),
    (v4(192, 0, 0, 24), Kind::Reserved),
    (v4(192, 0, 2, 24), Kind::Documentation),
    (v4(198, 51, 100, 24), Kind::Documentation),
    (v4(203, 0, 113, 24), Kind::Documentation),
    (v4(192, 88, 99, 24), Kind::Reserved),
    (v4(198, 18, 0, 15), Kind::Reserved),
    (v4(224, 0, 0, 4), Kind::Multicast),
    // Includes the broadcast address, the last one.
    (v4(240, 0, 0, 4), Kind::Reserved),
];

const V6: [(Ipv6Net, Kind); 11] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), Kind::Unspecified),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), Kind::Loopback),
    // Unique local addresses. Some clouds have their metadata here: fd00:ec2::254.
    (v6(0xfc00, 0, 0, 7), Kind::Private),
    (v6(0xfec0, 0, 0, 10), Kind::Private),
    // NAT64 within a network (RFC 8215): only that network knows which bits hold the IPv4 address.
    (v6(0x64, 0xff9b, 1, 48), Kind::Private),
    (v6(0xfe80, 0, 0, 10), Kind::LinkLocal),
    (v6(0xff00, 0, 0, 8), Kind::Multicast),
    (v6(0x2001, 0xdb8, 0, 32), Kind::Documentation),
    (v6(0x3fff, 0, 0, 20), Kind::Documentation),
    (v6(0x100, 0, 0, 64), Kind::Reserved),
    (v6(0x5f00, 0, 0, 16), Kind::Reserved),
];

/// The IPv4 addresses that an IPv6 address embeds.
fn embedded(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match [a, b, c, d, e, f] {
        // IPv4-compatible (RFC 4291), NAT64 (RFC 6052), IPv4-translated (RFC 2765).
        [0, 0, 0, 0, 0, 0] | [0x64, 0xff9b, 0, 0, 0, 0] | [0, 0, 0, 0, 0xffff, 0] => [of(g, h), None],
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => [of(high, low), None],
        // Teredo (RFC 4380): its server, and its client with all bits inverted.
        [0x2001, 0, high, low, ..] => [of(high, low), of(!g, !h)],
        // ISATAP (RFC 5214), whatever the prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe] => [of(g, h), None],
        _ => [None, None],
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Unspecified => "is unspecified",
            Kind::Loopback => "is this machine's own (loopback)",
            Kind::Private => "is of a private network",
            Kind::CarrierGrade => "is of a provider's inner network",
            Kind::LinkLocal => "is link-local, as cloud metadata is,",
            Kind::Multicast => "is for multicast",
            Kind::Documentation => "is for documentation only",
            Kind::Reserved => "is reserved",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn judge(text: &str, granted: &[&str]) -> Result<(), Kind> {
        let networks = granted.iter().map(|network| network.parse().expect("a network")).collect();
        let grants = Grants { networks, ..Grants::default() };
        let egress = Egress { grants: &grants, own: &OwnAddresses::default() };
        match egress.permit(SocketAddr::new(text.parse().expect("an address"), 80)) {
            Ok(()) => Ok(()),
            Err(Forbidden::NotGranted(kind)) => Err(kind),
            Err(other) => panic!("{text} {other}"),
        }
    }

    #[test]
    fn public_addresses_need_no_grant() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "192.0.1.255",
            "192.0.3.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "2606:4700::1111",
            "2001:db7:ffff::1",
            "2001:db9::1",
            "2a00::1",
            "3ffe::1",
            "3fff:1000::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:0101:0101::1",
            "2001:0:0101:0101::fefe:fefe",
            "fbff::1",
        ] {
            assert_eq!(judge(text, &[]), Ok(()), "{text}");
        }
    }

    #[test]
    fn others_are_forbidden_in_every_form() {
        use Kind::*;
        for (text, kind) in [
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("::", Unspecified),
            ("::ffff:0.0.0.0", Unspecified),
            ("127.0.0.1", Loopback),
            ("127.255.255.254", Loopback),
            ("::1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("::127.0.0.1", Loopback),
            ("::ffff:0:127.0.0.1", Loopback),
            ("64:ff9b::127.0.0.1", Loopback),
            ("2002:7f00:1::", Loopback),
            ("2001:0:7f00:1::1", Loopback),
            // The client's address inverted: 127.0.0.1 is 80ff:fffe.
            ("2001:0:0101:0101::80ff:fffe", Loopback),
            ("2606:4700::5efe:127.0.0.1", Loopback),
            ("2606:4700::200:5efe:7f00:1", Loopback),
            ("10.0.0.0", Private),
            ("10.255.255.255", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("192.168.0.1", Private),
            ("192.168.255.255", Private),
            ("::ffff:10.1.2.3", Private),
            ("::10.1.2.3", Private),
            ("64:ff9b::10.1.2.3", Private),
            ("64:ff9b:1::1.1.1.1", Private),
            ("2002:a01:203::1", Private),
            ("2001:0:0101:0101::f5fe:fdfc", Private),
            ("fc00::1", Private),
            ("fd00:ec2::254", Private),
            ("fdff:ffff::1", Private),
            ("fec0::1", Private),
            ("100.64.0.1", CarrierGrade),
            ("100.127.255.255", CarrierGrade),
            ("64:ff9b::100.64.0.1", CarrierGrade),
            ("169.254.0.1", LinkLocal),
            ("169.254.169.254", LinkLocal),
            ("::ffff:169.254.169.254", LinkLocal),
            ("::169.254.169.254", LinkLocal),
            ("64:ff9b::169.254.169.254", LinkLocal),
            ("2002:a9fe:a9fe::1", LinkLocal),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("224.0.0.1", Multicast),
            ("239.255.255.255", Multicast),
            ("ff02::1", Multicast),
            ("64:ff9b::224.0.0.1", Multicast),
            ("192.0.2.1", Documentation),
            ("198.51.100.255", Documentation),
            ("203.0.113.7", Documentation),
            ("64:ff9b::203.0.113.7", Documentation),
            ("2002:c000:0201::1", Documentation),
            ("2001:db8::1", Documentation),
            ("2001:db8:ffff::1", Documentation),
            ("3fff::1", Documentation),
            ("3fff:fff:ffff::1", Documentation),
            ("192.0.0.8", Reserved),
            ("192.88.99.1", Reserved),
            ("198.18.0.1", Reserved),
            ("198.19.255.255", Reserved),
            ("240.0.0.1", Reserved),
            ("255.255.255.255", Reserved),
            ("::ffff:255.255.255.255", Reserved),
            ("100::1", Reserved),
            ("5f00::1", Reserved),
        ] {
            assert_eq!(judge(text, &[]), Err(kind), "{text}");
        }
    }

    #[test]
    fn grant_opens_what_it_names_and_no_more() {
        assert_eq!(judge("10.1.2.3", &["10.1.0.0/16"]), Ok(()));
        assert_eq!(judge("10.2.2.3", &["10.1.0.0/16"]), Err(Kind::Private));
        assert_eq!(judge("::ffff:10.1.2.3", &["10.1.0.0/16"]), Ok(()), "the same address");
        assert_eq!(judge("64:ff9b::10.1.2.3", &["10.1.0.0/16"]), Err(Kind::Private), "another way");
        assert_eq!(judge("64:ff9b::10.1.2.3", &["64:ff9b::/96"]), Ok(()));
        assert_eq!(judge("::1", &["127.0.0.0/8"]), Err(Kind::Loopback));
        assert_eq!(judge("::1", &["127.0.0.0/8", "::1/128"]), Ok(()));
    }

    #[test]
    fn ports_of_other_protocols_need_a_grant() {
        let permit = |port, granted: &[u16]| {
            let grants = Grants { ports: granted.to_vec(), ..Grants::default() };
            let egress = Egress { grants: &grants, own: &OwnAddresses::default() };
            egress.permit(SocketAddr::from(([1, 1, 1, 1], port)))
        };
        assert!(OTHER_PROTOCOLS.is_sorted());
        for port in OTHER_PROTOCOLS {
            assert_eq!(permit(port, &[80]), Err(Forbidden::Port(port)));
            assert_eq!(permit(port, &[80, port]), Ok(()));
        }
        for port in [2, 80, 443, 3000, 8080, 8443, 10_081, u16::MAX] {
            assert_eq!(permit(port, &[]), Ok(()));
        }
    }

    #[test]
    fn own_listeners_are_forbidden_whatever_is_granted() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let listeners = ["127.0.0.1:8080", "192.0.2.7:443", "0.0.0.0:81", "[::]:82"].map(address);
        let machine = ["192.0.2.7", "2001:db8::7"].map(|text| text.parse().expect("an address"));
        let everywhere = vec![Ipv4Net::default().into(), Ipv6Net::default().into()];
        let grants = Grants { networks: everywhere, ..Grants::default() };
        let egress = Egress { grants: &grants, own: &OwnAddresses::new(listeners.into(), machine.into()) };
        for text in [
            "127.0.0.1:8080",
            "[::ffff:127.0.0.1]:8080",
            "0.0.0.0:8080",
            "[::]:8080",
            "192.0.2.7:443",
            "192.0.2.7:81",
            "127.0.0.1:81",
            "127.9.9.9:81",
            "[::1]:82",
            "127.0.0.1:82",
            "[2001:db8::7]:82",
            "192.0.2.7:82",
            "[64:ff9b::192.0.2.7]:443",
            "[2002:c000:207::1]:82",
        ] {
            assert_eq!(egress.permit(address(text)), Err(Forbidden::Own), "{text}");
        }
        for text in ["127.0.0.2:8080", "127.0.0.1:443", "192.0.2.8:81", "[2001:db8::8]:82", "192.0.2.7:8080"] {
            assert_eq!(egress.permit(address(text)), Ok(()), "{text}");
        }
    }

    #[test]
    fn listeners_are_where_they_were_found() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let own = OwnAddresses::new(vec![address("127.0.0.1:0")], Vec::new());
        own.found(vec![address("127.0.0.1:8080")]);
        let grants = Grants { networks: vec![Ipv4Net::default().into()], ..Grants::default() };
        let egress = Egress { grants: &grants, own: &own };
        assert_eq!(egress.permit(address("127.0.0.1:8080")), Err(Forbidden::Own));
        assert_eq!(egress.permit(address("127.0.0.1:8081")), Ok(()));
    }
}
