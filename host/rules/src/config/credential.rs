//! Reads `[[ca]]` and `[[client_cert]]`: certificates that modules may name if they are granted, but never see.

use crate::config::claims::Claims;
use crate::config::name::name;
use crate::config::section::Section;
use crate::config::{CredentialConfig, CredentialFiles};

/// None if a key is missing or wrong.
pub fn read_ca<'t>(section: Section<'t>, claims: &mut Claims<'t>) -> Option<CredentialConfig> {
    read(section, claims, |section| {
        section.require("file", "\"roots.pem\"");
        section.path("file").map(CredentialFiles::Ca)
    })
}

/// None if a key is missing or wrong.
pub fn read_client_cert<'t>(section: Section<'t>, claims: &mut Claims<'t>) -> Option<CredentialConfig> {
    read(section, claims, |section| {
        section.require("certificate", "\"client.pem\"");
        section.require("key", "\"client.key\"");
        let (certificate, key) = (section.path("certificate"), section.path("key"));
        Some(CredentialFiles::Client { certificate: certificate?, key: key? })
    })
}

fn read<'t>(
    mut section: Section<'t>,
    claims: &mut Claims<'t>,
    files: impl FnOnce(&mut Section<'t>) -> Option<CredentialFiles>,
) -> Option<CredentialConfig> {
    section.require("name", "\"partner\"");
    let name = name(&mut section);
    if let Some(name) = &name {
        claims.credential_name(name);
    }
    let files = files(&mut section);
    section.finish();
    Some(CredentialConfig { name: name?.value.to_owned(), files: files? })
}
