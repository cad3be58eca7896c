//! Reads `[[tenant]]`, and the smaller tables below it.

use std::collections::HashMap;

use crate::config::claims::{Claim, Claimant, Claims, ListenerKind};
use crate::config::hostname::{self, BadHostname};
use crate::config::name::name;
use crate::config::problem::{Findings, shown};
use crate::config::section::{Placed, Section, Unit};
use crate::config::{
    GroupConfig, HostPattern, Matching, TenantConfig, failure, grants, group, limits, module, quota, release, upstream,
};

pub fn read<'t>(mut section: Section<'t>, claims: &mut Claims<'t>) -> TenantConfig {
    section.require("name", "\"shop\"");
    let name = name(&mut section);
    if let Some(name) = &name {
        claims.tenant_name(name);
    }
    let claimant = Claimant { name: name.as_ref().map(|name| name.value), place: section.place().clone() };
    let matching = matching(&mut section, claims, &claimant);
    let modules = section.required_tables("module").into_iter().filter_map(module::read).collect();
    let instance_calls =
        section.number("instance_calls", 1..=1_000_000, Unit::Things).unwrap_or(TenantConfig::INSTANCE_CALLS);
    let config = TenantConfig {
        name: name.map(|name| name.value.to_owned()).unwrap_or_default(),
        matching,
        modules,
        instance_calls,
        rewind: rewind(&mut section, instance_calls).unwrap_or(TenantConfig::REWIND),
        limits: limits::read(section.table("limits")),
        quota: quota::read(section.table("quota")),
        breaker: quota::read_breaker(section.table("breaker")),
        upstream: upstream::read(section.table("upstream")),
        failure: failure::read(section.table("failure"), claims),
        groups: groups(&mut section, claims),
        grants: grants::read(section.table("grants"), claims),
        release: release::read(section.table("release")),
    };
    section.finish();
    config
}

fn rewind(section: &mut Section<'_>, instance_calls: u32) -> Option<bool> {
    let rewind = section.boolean("rewind")?;
    if instance_calls > 1 {
        let message =
            "has no effect with `instance_calls` above 1, whose instances keep their state: remove one of the two";
        section.findings().add(&section.place_of("rewind"), message.to_owned());
    }
    Some(rewind)
}

/// Reads which requests belong to this tenant, and claims each combination of listener, SNI and hostname.
fn matching<'t>(section: &mut Section<'t>, claims: &mut Claims<'t>, claimant: &Claimant<'t>) -> Matching {
    let texts = section.required_strings("hostnames", "[\"shop.example\"]");
    let hostnames = patterns(texts, section.findings(), hostname::pattern);
    let texts = section.strings("sni").unwrap_or_default();
    let sni = patterns(texts, section.findings(), hostname::sni_pattern);
    let listeners = section.strings("listeners").unwrap_or_default();
    let tls: Vec<_> = listeners.iter().filter_map(|listener| claims.listener(listener)).collect();
    let any_tls = if listeners.is_empty() { claims.any_tls() } else { tls.contains(&ListenerKind::Tls) };
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

/// Reads the groups. Their names must be unique within the tenant.
fn groups<'t>(section: &mut Section<'t>, claims: &Claims<'t>) -> Vec<GroupConfig> {
    let mut names = HashMap::new();
    let groups = section.tables("group").into_iter().filter_map(group::read);
    let claimed = groups.map(|(name, group)| {
        claims.name_among(&mut names, &name);
        group
    });
    claimed.collect()
}
