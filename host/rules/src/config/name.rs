//! Reads the names of things: listeners, tenants, credentials, groups.

use crate::config::problem::shown;
use crate::config::section::{Placed, Section};

/// The name of a listener, a tenant, a credential or a group. It appears in logs and metrics, so it must be short and
/// plain.
pub fn name<'t>(section: &mut Section<'t>) -> Option<Placed<&'t str>> {
    /// In bytes; one more than a DNS label may have.
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
