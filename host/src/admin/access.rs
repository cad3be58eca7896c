//! Who may use the API.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::admin::{ApiError, Code};
use crate::config::AdminConfig;
use crate::server::StartError;

/// What is asked of those who use the API.
#[derive(Debug, Clone)]
pub enum Access {
    /// Nothing: only the proxy's own user can open the socket.
    Full,
    /// This token, which may be exchanged.
    Token(Arc<ArcSwap<String>>),
    /// There is no way: no token is configured.
    MetricsOnly,
}

/// A token is not guessed: as long as 128 bits in hexadecimal.
const SHORTEST: usize = 32;

impl Access {
    /// What a configuration asks of those who come over TCP.
    pub fn of(config: &AdminConfig) -> Result<Access, StartError> {
        let Some(path) = &config.token_file else { return Ok(Access::MetricsOnly) };
        let refused = |message: String| StartError::Token { path: path.clone(), message };
        let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        others_cannot_read(path).map_err(refused)?;
        let token = text.trim();
        match token.len() < SHORTEST {
            true => Err(refused(format!(
                "the token has {} characters; at least {SHORTEST} are needed, such as `openssl rand -hex 32` makes",
                token.len()
            ))),
            false => Ok(Access::token(token)),
        }
    }

    fn token(token: &str) -> Access {
        Access::Token(Arc::new(ArcSwap::from_pointee(token.to_owned())))
    }

    /// Asks for another token from now on.
    pub fn exchange(&self, new: &Access) {
        if let (Access::Token(token), Access::Token(new)) = (self, new) {
            token.store(new.load_full());
        }
    }

    /// Judges the header `authorization` of a request.
    pub fn judge(&self, authorization: Option<&[u8]>) -> Result<(), ApiError> {
        match self {
            Access::Full => Ok(()),
            Access::MetricsOnly => Err(ApiError::new(
                Code::Forbidden,
                "only /metrics is here: configure `admin.token_file`, or use the socket (`admin.socket`)",
            )),
            Access::Token(token) => {
                let token = token.load();
                let given = authorization.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
                let same = given.len() == token.len() && openssl::memcmp::eq(given, token.as_bytes());
                match same {
                    true => Ok(()),
                    false => Err(ApiError::new(Code::Unauthorized, "send the token: `authorization: Bearer TOKEN`")),
                }
            }
        }
    }
}

fn others_cannot_read(path: &Path) -> Result<(), String> {
    let mode = std::fs::metadata(path).map_err(|error| error.to_string())?;
    let mode = std::os::unix::fs::MetadataExt::mode(&mode) & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("others may read it (mode {mode:o}): chmod 600 it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_will_do() {
        let access = Access::token("0123456789abcdef0123456789abcdef");
        assert!(access.judge(Some(b"Bearer 0123456789abcdef0123456789abcdef")).is_ok());
        for wrong in [None, Some(b"".as_slice()), Some(b"Bearer "), Some(b"Bearer 0123456789abcdef0123456789abcdee")] {
            assert!(access.judge(wrong).is_err_and(|error| error.code == Code::Unauthorized));
        }
        assert!(Access::Full.judge(None).is_ok());
        assert!(Access::MetricsOnly.judge(Some(b"Bearer x")).is_err_and(|error| error.code == Code::Forbidden));
    }
}
