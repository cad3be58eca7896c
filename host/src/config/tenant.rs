//! `[[tenant]]`, and the smaller tables below it.

use http::{HeaderValue, StatusCode};

use crate::config::claims::{Claim, Claimant, Claims, HasTls};
use crate::config::hostname::BadHostname;
use crate::config::problem::{Findings, shown};
use crate::config::section::{Placed, Section, Unit, choose};
use crate::config::{FailureAnswer, Grants, HostPattern, Matching, TenantConfig, hostname, limits, module, upstream};

pub fn read<'t>(mut section: Section<'t>, claims: &mut Claims<'t>) -> TenantConfig {
    section.require("name", "\"shop\"");
    let name = name(&mut section);
    if let Some(name) = &name {
        claims.tenant_name(name);
    }
    let claimant = Claimant { name: name.as_ref().map(|name| name.value), place: section.place().clone() };
    let matching = matching(&mut section, claims, &claimant);
    let config = TenantConfig {
        name: name.map(|name| name.value.to_owned()).unwrap_or_default(),
        matching,
        modules: section.required_tables("module").into_iter().filter_map(module::read).collect(),
        limits: limits::read(section.table("limits")),
        upstream: upstream::read(section.table("upstream")),
        failure: failure(section.table("failure")),
        grants: grants(section.table("grants"), claims),
    };
    section.finish();
    config
}

/// The name of a listener or a tenant. It stands in logs and metrics, so it is short and plain.
pub fn name<'t>(section: &mut Section<'t>) -> Option<Placed<&'t str>> {
    /// In bytes; as long as a DNS label, and one more.
    const LONGEST: usize = 64;
    let name = section.string("name")?;
    let plain = name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if plain && (1..=LONGEST).contains(&name.value.len()) {
        return Some(name);
    }
    let message = format!("must be 1 to {LONGEST} letters, digits, `-`, `_` or `.`, found `{}`", shown(name.value));
    section.findings().add(&name.place, message);
    None
}

/// Whose requests are this tenant's; each combination of listener, SNI and hostname is claimed.
fn matching<'t>(section: &mut Section<'t>, claims: &mut Claims<'t>, claimant: &Claimant<'t>) -> Matching {
    let texts = section.required_strings("hostnames", "[\"shop.example\"]");
    let hostnames = patterns(texts, section.findings(), hostname::pattern);
    let texts = section.strings("sni").unwrap_or_default();
    let sni = patterns(texts, section.findings(), hostname::sni_pattern);
    let listeners = section.strings("listeners").unwrap_or_default();
    let tls: Vec<_> = listeners.iter().filter_map(|listener| claims.listener(listener)).collect();
    let any_tls = if listeners.is_empty() { claims.any_tls() } else { tls.contains(&HasTls::Yes) };
    if !sni.is_empty() && !any_tls && tls.len() == listeners.len() {
        section.problem("sni", "can never match: none of the tenant's listeners has TLS");
    }

    let on: Vec<_> = match listeners.is_empty() {
        true => vec![None],
        false => listeners.iter().map(|listener| Some(listener.value)).collect(),
    };
    let with: Vec<_> = match sni.is_empty() {
        true => vec![None],
        false => sni.iter().map(|sni| Some(sni.value.clone())).collect(),
    };
    for hostname in &hostnames {
        let pairs = on.iter().flat_map(|listener| with.iter().map(move |sni| (*listener, sni.clone())));
        for (listener, sni) in pairs {
            let claim = Claim { listener, sni, hostname: hostname.value.clone() };
            if !claims.hostname(claim, &hostname.place, claimant) {
                break;
            }
        }
    }
    Matching {
        hostnames: hostnames.into_iter().map(|hostname| hostname.value).collect(),
        sni: sni.into_iter().map(|sni| sni.value).collect(),
        listeners: listeners.into_iter().map(|listener| listener.value.to_owned()).collect(),
    }
}

fn patterns(
    texts: Vec<Placed<&str>>,
    findings: &Findings,
    read: impl Fn(&str) -> Result<HostPattern, BadHostname>,
) -> Vec<Placed<HostPattern>> {
    let patterns = texts.into_iter().filter_map(|Placed { value, place }| match read(value) {
        Ok(value) => Some(Placed { value, place }),
        Err(error) => {
            findings.add(&place, format!("`{}` {error}", shown(value)));
            None
        }
    });
    patterns.collect()
}

fn failure(section: Option<Section<'_>>) -> FailureAnswer {
    let defaults = FailureAnswer::default();
    let Some(mut section) = section else { return defaults };
    let status = section.number("status", 400..=599_u16, Unit::Things);
    let answer = FailureAnswer {
        status: status.and_then(|status| StatusCode::from_u16(status).ok()),
        body: section.string("body").map_or(defaults.body, |body| body.value.to_owned()),
        content_type: content_type(&mut section).unwrap_or(defaults.content_type),
    };
    section.finish();
    answer
}

fn content_type(section: &mut Section<'_>) -> Option<String> {
    let text = section.string("content_type")?;
    if !text.value.is_empty() && HeaderValue::from_str(text.value).is_ok() {
        return Some(text.value.to_owned());
    }
    let message = "must be a media type that a header can carry, such as \"text/html; charset=utf-8\"";
    section.findings().add(&text.place, format!("{message}, found `{}`", shown(text.value)));
    None
}

fn grants<'t>(section: Option<Section<'t>>, claims: &Claims<'t>) -> Grants {
    #[derive(Clone, Copy)]
    enum Verify {
        ChainOnly,
        None,
    }
    const LEVELS: [(&str, Verify); 2] = [("chain-only", Verify::ChainOnly), ("none", Verify::None)];

    let mut grants = Grants::default();
    let Some(mut section) = section else { return grants };
    for level in section.strings("verify").unwrap_or_default() {
        match choose(&level, &LEVELS, section.findings()) {
            Some(Verify::ChainOnly) => grants.verify_chain_only = true,
            Some(Verify::None) => grants.verify_none = true,
            None => {}
        }
    }
    grants.bind_to = section.boolean("bind_to").unwrap_or(grants.bind_to);
    grants.networks = section.networks("networks");
    grants.ports = section.numbers("ports", 1..=u16::MAX);
    for path in section.strings("unix_sockets").unwrap_or_default() {
        // Paths of modules are compared with these as text, so neither may have another spelling.
        if path.value.starts_with('/') && !path.value.split('/').any(|part| part == "." || part == "..") {
            grants.unix_sockets.push(path.value.to_owned());
        } else {
            let message = "must be an absolute path without `.` and `..`; one that ends with `/` grants all below";
            section.findings().add(&path.place, message);
        }
    }
    for name in section.strings("credentials").unwrap_or_default() {
        claims.grant(&name);
        grants.credentials.push(name.value.to_owned());
    }
    section.finish();
    grants
}
