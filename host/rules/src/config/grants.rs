//! Reads `[tenant.grants]`.

use crate::config::Grants;
use crate::config::claims::Claims;
use crate::config::section::{Section, choose};

pub fn read<'t>(section: Option<Section<'t>>, claims: &Claims<'t>) -> Grants {
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
        // The paths that modules name are compared with these as text, so each path may have only one spelling.
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
