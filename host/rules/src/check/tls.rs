//! Checks TLS to the upstream. Settings with which a certificate check would silently be skipped are refused.

use crate::check::credentials::named;
use crate::check::refusal::At;
use crate::check::spec::{Target, TlsSpec};
use crate::check::{Policy, Problem, Refusal, address};
use crate::contract::{self, Verify};

/// Longest list of key exchange groups, in bytes.
const LONGEST_CURVES: usize = 255;

pub fn check(raw: contract::Tls, target: &Target, policy: &Policy<'_>) -> Result<TlsSpec, Refusal> {
    let Policy { grants, credentials, .. } = *policy;
    match raw.verify {
        Verify::Full => {}
        Verify::ChainOnly if grants.verify_chain_only => {}
        Verify::None if grants.verify_none => {}
        Verify::ChainOnly => {
            return Err(Problem::NotGranted { grant: "verify = [\"chain-only\"]" }.at("peer.tls.verify"));
        }
        Verify::None => return Err(Problem::NotGranted { grant: "verify = [\"none\"]" }.at("peer.tls.verify")),
    }
    if raw.ca.is_some() && raw.verify == Verify::None {
        return Err(Problem::Rule("it has no effect with `verify: none`").at("peer.tls.ca"));
    }
    let ca = raw.ca.map(|name| named(name, &credentials.ca)).transpose().at("peer.tls.ca")?;
    let client = raw.client_cert.map(|name| named(name, &credentials.client)).transpose();
    if raw.second_key_share.is_some() {
        return Err(Problem::Rule("only BoringSSL can honour it, and this host is built on OpenSSL; remove it")
            .at("peer.tls.second-key-share"));
    }
    Ok(TlsSpec {
        server_name: server_name(raw.sni.as_deref(), target, raw.verify)?,
        verify: raw.verify,
        ca,
        client_certificate: client.at("peer.tls.client-cert")?,
        alternative_name: alternative_name(raw.alternative_cn.as_deref(), raw.verify)?,
        curves: raw.curves.map(|list| curves(list, policy.tls_groups)).transpose().at("peer.tls.curves")?,
    })
}

/// The server name to check the certificate against. Pingora silently skips the checks where there is no server name.
fn server_name(sni: Option<&str>, target: &Target, verify: Verify) -> Result<Option<String>, Refusal> {
    match (sni, target) {
        (Some(sni), _) => dns_name(sni).at("peer.tls.sni").map(Some),
        (None, Target::Name { host, .. }) => Ok(Some(host.clone())),
        (None, Target::Socket(_) | Target::Unix(_)) if verify == Verify::None => Ok(None),
        (None, Target::Socket(_) | Target::Unix(_)) => Err(Problem::Rule(
            "it is needed to check the certificate, since `peer.address` is not a name; name the server",
        )
        .at("peer.tls.sni")),
    }
}

fn alternative_name(name: Option<&str>, verify: Verify) -> Result<Option<String>, Refusal> {
    const FIELD: &str = "peer.tls.alternative-cn";
    match name {
        None => Ok(None),
        Some(_) if verify != Verify::Full => Err(Problem::Rule("it has no effect unless `verify` is `full`").at(FIELD)),
        Some(name) => dns_name(name).at(FIELD).map(Some),
    }
}

/// Checks a name that can be compared with a certificate's names. Pingora passes every name to OpenSSL as a *host*
/// (`X509_VERIFY_PARAM_add1_host`): an address would never match a certificate for that address (an `iPAddress`), yet
/// would match any other certificate that merely has the address as its common name.
fn dns_name(text: &str) -> Result<String, Problem> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Err(Problem::value(text, "is an address; this host can compare a certificate with names only"));
    }
    address::name(text).map_err(|why| Problem::value(text, why))
}

/// Checks a list of group names joined by colons, all of them known to the TLS library.
fn curves(list: String, is_known: fn(&str) -> bool) -> Result<String, Problem> {
    if list.len() > LONGEST_CURVES {
        return Err(Problem::TooLong { found: list.len(), most: LONGEST_CURVES });
    }
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if !list.split(':').all(is_name) {
        return Err(Problem::value(&list, "is not a list of names joined by `:`, such as `X25519:P-256`"));
    }
    match is_known(&list) {
        true => Ok(list),
        false => Err(Problem::value(&list, "has a duplicate, or a group that this host's OpenSSL does not support")),
    }
}
