//! The token of the admin API, which a reload may replace.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use pointsman_rules::config::AdminConfig;

use crate::control::PrepareError;

/// The token that requests to the admin API need from now on.
pub type ServedToken = Arc<ArcSwap<String>>;

/// Minimum length of a token, in bytes: 128 bits in hexadecimal, so that it cannot be guessed.
const SHORTEST: usize = 32;

/// Reads the token's file. None: there is none.
pub fn read(config: &AdminConfig) -> Result<Option<ServedToken>, PrepareError> {
    let Some(path) = &config.token_file else { return Ok(None) };
    let refused = |message: String| PrepareError::Token { path: path.clone(), message };
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    others_cannot_read(path).map_err(refused)?;
    let token = text.trim();
    match token.len() < SHORTEST {
        true => Err(refused(format!(
            "the token has {} characters; at least {SHORTEST} are needed, such as `openssl rand -hex 32` makes",
            token.len()
        ))),
        false => Ok(Some(Arc::new(ArcSwap::from_pointee(token.to_owned())))),
    }
}

fn others_cannot_read(path: &Path) -> Result<(), String> {
    let mode = std::fs::metadata(path).map_err(|error| error.to_string())?.mode() & 0o777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(format!("others may read it (mode {mode:o}): chmod 600 it")),
    }
}
