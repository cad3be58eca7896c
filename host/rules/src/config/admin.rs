//! Reads `[admin]`.

use crate::config::claims::Claims;
use crate::config::hostname::{self, BadHostname};
use crate::config::problem::shown;
use crate::config::section::Section;
use crate::config::{AdminConfig, HostPattern};

pub fn read(section: Option<Section<'_>>, claims: &mut Claims<'_>) -> Option<AdminConfig> {
    let mut section = section?;
    let (socket, address, token_file) =
        (section.path("socket"), section.address("address"), section.path("token_file"));
    let hosts = hosts(&mut section);
    if let Some(address) = &address {
        claims.address(address);
    }
    if token_file.is_some() && address.is_none() {
        section.problem("token_file", "has no effect without `address`: the socket needs no token");
    }
    if !hosts.is_empty() && address.is_none() {
        section.problem("hosts", "has no effect without `address`: the socket ignores hosts");
    }
    let beside = || section.beside(AdminConfig::SOCKET);
    let socket = if socket.is_none() && address.is_none() { Some(beside()) } else { socket };
    section.finish();
    Some(AdminConfig { socket, address: address.map(|address| address.value), token_file, hosts })
}

/// The listener's hostnames. Invalid ones are reported and left out.
fn hosts(section: &mut Section<'_>) -> Vec<String> {
    let (texts, findings) = (section.strings("hosts").unwrap_or_default(), section.findings());
    let names = texts.into_iter().filter_map(|text| {
        let why = match hostname::pattern(text.value) {
            Ok(HostPattern::Exact(name)) => return Some(name),
            Ok(HostPattern::Any | HostPattern::Wildcard(_)) => "must be one name, without a star".to_owned(),
            Err(BadHostname::Empty) => "must be a name".to_owned(),
            Err(error) => error.to_string(),
        };
        findings.add(&text.place, format!("`{}` {why}", shown(text.value)));
        None
    });
    names.collect()
}
