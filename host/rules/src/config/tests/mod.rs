//! Tests of whole configuration files.

mod docs;
mod golden;
mod hostile;
mod schema;
mod tenants;
mod whole;

use std::path::Path;

use super::*;

/// The messages that a user gets about a file named `pointsman.toml`; empty if the file is valid.
fn complaints(text: &str) -> String {
    parse(text, Path::new("pointsman.toml")).map_or_else(|errors| errors.to_string(), |_| String::new())
}
