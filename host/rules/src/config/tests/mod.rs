//! Whole files.

mod docs;
mod golden;
mod hostile;
mod tenants;
mod whole;

use std::path::Path;

use super::*;

/// What a user sees of a file that is called `pointsman.toml`; an empty string if there is nothing to complain of.
fn complaints(text: &str) -> String {
    parse(text, Path::new("pointsman.toml")).map_or_else(|errors| errors.to_string(), |_| String::new())
}
