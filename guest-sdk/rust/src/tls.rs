//! TLS to the upstream.

use crate::{Peer, Tls, Verify};

/// # TLS
///
/// Any of these turns TLS on.
impl Peer {
    /// The server name to send, and to find in the certificate.
    pub fn sni(self, name: impl Into<String>) -> Peer {
        self.with_tls(|tls| tls.sni = Some(name.into()))
    }

    /// How far the certificate is checked. Less than [`Verify::Full`] needs a grant.
    pub fn verify(self, verify: Verify) -> Peer {
        self.with_tls(|tls| tls.verify = verify)
    }

    /// A second name that the certificate may carry.
    pub fn alternative_cn(self, name: impl Into<String>) -> Peer {
        self.with_tls(|tls| tls.alternative_cn = Some(name.into()))
    }

    /// The operator's CA bundle of this name, instead of the system's roots.
    pub fn ca(self, name: impl Into<String>) -> Peer {
        self.with_tls(|tls| tls.ca = Some(name.into()))
    }

    /// The operator's client certificate of this name.
    pub fn client_cert(self, name: impl Into<String>) -> Peer {
        self.with_tls(|tls| tls.client_cert = Some(name.into()))
    }

    /// Key exchange groups to offer, best first: `X25519:P-256`.
    pub fn curves(self, curves: impl Into<String>) -> Peer {
        self.with_tls(|tls| tls.curves = Some(curves.into()))
    }

    /// Sends a second key share with a post-quantum one. BoringSSL only.
    pub fn second_key_share(self) -> Peer {
        self.with_tls(|tls| tls.second_key_share = Some(true))
    }

    /// Sends one key share. BoringSSL only.
    pub fn single_key_share(self) -> Peer {
        self.with_tls(|tls| tls.second_key_share = Some(false))
    }

    fn with_tls(mut self, change: impl FnOnce(&mut Tls)) -> Peer {
        change(self.tls.get_or_insert_default());
        self
    }
}

/// The certificate is checked in full, for the name in the peer's address.
impl Default for Tls {
    fn default() -> Tls {
        Tls {
            sni: None,
            verify: Verify::default(),
            alternative_cn: None,
            ca: None,
            client_cert: None,
            curves: None,
            second_key_share: None,
        }
    }
}

/// In full.
impl Default for Verify {
    fn default() -> Verify {
        Verify::Full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_checks_the_certificate_in_full() {
        assert_eq!(Peer::https("shop.example:443").tls, Some(Tls::default()));
        assert_eq!(Tls::default().verify, Verify::Full);
    }

    #[test]
    fn every_option_sets_its_field() {
        let peer = Peer::https("203.0.113.7:443")
            .sni("shop.example")
            .verify(Verify::ChainOnly)
            .alternative_cn("old.example")
            .ca("internal")
            .client_cert("proxy")
            .curves("X25519")
            .second_key_share();
        let expected = Tls {
            sni: Some("shop.example".to_owned()),
            verify: Verify::ChainOnly,
            alternative_cn: Some("old.example".to_owned()),
            ca: Some("internal".to_owned()),
            client_cert: Some("proxy".to_owned()),
            curves: Some("X25519".to_owned()),
            second_key_share: Some(true),
        };
        assert_eq!(peer.tls, Some(expected));
    }

    #[test]
    fn a_tls_option_turns_tls_on() {
        let peer = Peer::http("203.0.113.7:443").sni("shop.example");
        assert_eq!(peer, Peer::https("203.0.113.7:443").sni("shop.example"));
    }
}
