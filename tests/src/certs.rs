//! Certificates made for one test: a CA, and leaf certificates that it signs.

use openssl::pkey::PKey;
use openssl::ssl::{AlpnError, SslAcceptor, SslAcceptorBuilder, SslMethod, SslVerifyMode, select_next_proto};
use openssl::x509::X509;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// A certificate authority.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, PEM.
#[derive(Clone)]
pub struct Leaf {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a CA certificate").pem();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// A server certificate for these names or IP addresses.
    pub fn leaf(&self, names: &[&str]) -> Leaf {
        self.sign(names, |_| {})
    }

    /// A server certificate that has expired.
    pub fn expired(&self, names: &[&str]) -> Leaf {
        self.sign(names, |params| {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        })
    }

    /// An authority whose certificate this one has signed.
    pub fn intermediate(&self, name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).expect("a CA certificate").pem();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    /// A client certificate with this common name and this serial number.
    pub fn client(&self, name: &str, serial: u64) -> Leaf {
        self.sign(&["client.test"], |params| {
            params.distinguished_name.push(DnType::CommonName, name);
            params.serial_number = Some(serial.into());
        })
    }

    /// A self-signed server certificate.
    pub fn self_signed(names: &[&str]) -> Leaf {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("parameters");
        Leaf { certificate: params.self_signed(&key).expect("a certificate").pem(), key: key.serialize_pem() }
    }

    /// A server certificate with an Ed25519 key.
    pub fn ed25519(&self, names: &[&str]) -> Leaf {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        self.sign_key(&key, names, |_| {})
    }

    fn sign(&self, names: &[&str], adjust: impl FnOnce(&mut CertificateParams)) -> Leaf {
        self.sign_key(&KeyPair::generate().expect("a key"), names, adjust)
    }

    fn sign_key(&self, key: &KeyPair, names: &[&str], adjust: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("parameters");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        adjust(&mut params);
        let certificate = params.signed_by(key, &self.issuer).expect("a leaf certificate").pem();
        Leaf { certificate, key: key.serialize_pem() }
    }
}

impl Leaf {
    /// A server context that presents this certificate and offers these protocols, in order of preference.
    pub fn acceptor(&self, alpn: &[&str]) -> SslAcceptor {
        self.builder(alpn).build()
    }

    /// The same, for clients that present a certificate of one of these authorities; without `must` it is optional.
    pub fn acceptor_for(&self, clients: &[&Authority], must: bool, alpn: &[&str]) -> SslAcceptor {
        let mut builder = self.builder(alpn);
        for authority in clients {
            let root = X509::from_pem(authority.pem().as_bytes()).expect("a certificate");
            builder.cert_store_mut().add_cert(root).expect("the root is accepted");
        }
        let fail = if must { SslVerifyMode::FAIL_IF_NO_PEER_CERT } else { SslVerifyMode::NONE };
        builder.set_verify(SslVerifyMode::PEER | fail);
        builder.build()
    }

    fn builder(&self, alpn: &[&str]) -> SslAcceptorBuilder {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("an acceptor");
        let certificate = X509::from_pem(self.certificate.as_bytes()).expect("a certificate");
        let key = PKey::private_key_from_pem(self.key.as_bytes()).expect("a key");
        builder.set_certificate(&certificate).expect("the certificate is accepted");
        builder.set_private_key(&key).expect("the key is accepted");
        let wire: Vec<u8> = alpn
            .iter()
            .flat_map(|protocol| std::iter::once(u8::try_from(protocol.len()).expect("short")).chain(protocol.bytes()))
            .collect();
        // The callback may hand out a part of either list, so ours must live as long as any connection: until the end.
        let wire: &'static [u8] = wire.leak();
        builder.set_alpn_select_callback(move |_, offered| select_next_proto(wire, offered).ok_or(AlpnError::NOACK));
        builder
    }
}
