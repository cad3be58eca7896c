//! Access control: who may use the API.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Uri, Version, header};
use parking_lot::Mutex;

use crate::admin::wrong_tokens::WrongTokens;
use crate::admin::{ApiError, host};
use crate::api::Code;
use crate::control::ServedToken;

/// Requirements for clients of the API.
#[derive(Debug, Clone)]
pub enum Access {
    /// No requirements: only the proxy's own user can open the socket.
    Full,
    /// Over TCP, where any client may connect.
    Remote(Arc<Remote>),
}

/// Requirements for clients over TCP.
#[derive(Debug)]
pub struct Remote {
    /// The token, which a reload may replace. None: clients get only metrics.
    token: Option<ServedToken>,
    /// The listener's names.
    hosts: Vec<String>,
    wrong: WrongTokens,
    refusals: Seldom,
}

/// The sender of a request, and the request's head.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'r> {
    /// None: the request came over the Unix socket.
    pub ip: Option<IpAddr>,
    pub uri: &'r Uri,
    pub version: Version,
    pub headers: &'r HeaderMap,
}

impl Access {
    /// The requirements for clients over TCP. `hosts` are the listener's names.
    pub fn remote(token: Option<ServedToken>, hosts: Vec<String>) -> Access {
        Access::Remote(Arc::new(Remote { token, hosts, wrong: WrongTokens::default(), refusals: Seldom::default() }))
    }

    /// Checks that a request was meant for this listener, whatever it asks for.
    pub fn admit(&self, caller: Caller<'_>) -> Result<(), ApiError> {
        match self {
            Access::Full => Ok(()),
            Access::Remote(remote) => host::judge(caller.uri, caller.headers, caller.version, &remote.hosts),
        }
    }

    /// Checks the token of a request for anything but metrics.
    pub fn judge(&self, caller: Caller<'_>, now: Instant) -> Result<(), ApiError> {
        match self {
            Access::Full => Ok(()),
            Access::Remote(remote) => remote.judge(caller, now),
        }
    }

    /// Logs a refusal. All clients together get at most one line a minute.
    pub fn log_refusal(&self, caller: Caller<'_>, error: &ApiError, now: Instant) {
        let Access::Remote(remote) = self else { return };
        if let Some(unlogged) = remote.refusals.line(now) {
            let (client, code) = (caller.ip.map(|ip| ip.to_string()), error.code.name());
            tracing::warn!(client, code, unlogged, "admin: refused: {error}");
        }
    }
}

impl Remote {
    fn judge(&self, caller: Caller<'_>, now: Instant) -> Result<(), ApiError> {
        let Some(token) = &self.token else {
            let message = "only /metrics is here: configure `admin.token_file`, or use the socket (`admin.socket`)";
            return Err(ApiError::new(Code::Forbidden, message));
        };
        let mut values = caller.headers.get_all(header::AUTHORIZATION).iter();
        let given = match (values.next(), values.next()) {
            (Some(value), None) => credentials(value.as_bytes()),
            (Some(_), Some(_)) | (None, _) => None,
        };
        let Some(given) = given else { return Err(unauthorized("send the token: `authorization: Bearer TOKEN`")) };
        // Every connection over IP has an address; one without would count as `0.0.0.0`.
        let client = caller.ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        if let Some(wait) = self.wrong.wait(client, now) {
            let message = "too many wrong tokens came from this address: it has to wait (see the header `retry-after`)";
            return Err(ApiError { retry_after: Some(wait), ..ApiError::new(Code::TooManyWrongTokens, message) });
        }
        let token = token.load();
        if given.len() == token.len() && openssl::memcmp::eq(given, token.as_bytes()) {
            self.wrong.right(client);
            return Ok(());
        }
        self.wrong.wrong(client, now);
        Err(unauthorized("the token is wrong: it has to be the one in the file that `admin.token_file` names"))
    }
}

/// The part after the scheme, whose case does not matter (RFC 9110, section 11.1). None: it is another scheme.
fn credentials(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| rest.trim_ascii())
}

fn unauthorized(message: &str) -> ApiError {
    ApiError::new(Code::Unauthorized, message)
}

/// Limits log lines to one a minute.
#[derive(Debug, Default)]
struct Seldom {
    last: Mutex<(Option<Instant>, u64)>,
}

impl Seldom {
    /// The number of lines suppressed since the last one, if a line is due.
    fn line(&self, now: Instant) -> Option<u64> {
        const BETWEEN: Duration = Duration::from_secs(60);
        let (last, unlogged) = &mut *self.last.lock();
        if last.is_some_and(|last| now.saturating_duration_since(last) < BETWEEN) {
            *unlogged = unlogged.saturating_add(1);
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(unlogged))
    }
}

#[cfg(test)]
mod tests {
    use arc_swap::ArcSwap;
    use http::HeaderValue;

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn with_token() -> Access {
        Access::remote(Some(Arc::new(ArcSwap::from_pointee(TOKEN.to_owned()))), Vec::new())
    }

    /// The result for a request from 192.0.2.`client` with these headers.
    fn judged(access: &Access, client: u8, authorization: &[&str], now: Instant) -> Result<(), Code> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).expect("a value"));
        }
        let (ip, uri) = (Some(IpAddr::from([192, 0, 2, client])), Uri::from_static("/v1/tenants"));
        let caller = Caller { ip, uri: &uri, version: Version::HTTP_11, headers: &headers };
        access.judge(caller, now).map_err(|error| error.code)
    }

    #[test]
    fn only_the_whole_token_will_do() {
        let (access, now) = (with_token(), Instant::now());
        let bearer = |token: &str| format!("Bearer {token}");
        for right in [bearer(TOKEN), format!("bearer {TOKEN}"), format!("BEARER  {TOKEN}")] {
            assert_eq!(judged(&access, 1, &[&right], now), Ok(()));
        }
        for wrong in [
            bearer(""),
            bearer(&TOKEN.replace('f', "e")),
            bearer(TOKEN.trim_start_matches('0')),
            bearer(&format!("{TOKEN}0")),
        ] {
            assert_eq!(judged(&access, 1, &[&wrong], now), Err(Code::Unauthorized));
        }
        for none in [vec![], vec![""], vec![TOKEN], vec!["Basic eDp5"], vec![bearer(TOKEN).as_str(); 2]] {
            assert_eq!(judged(&access, 1, &none, now), Err(Code::Unauthorized));
        }
        assert_eq!(judged(&Access::Full, 1, &[], now), Ok(()));
        let metrics_only = Access::remote(None, Vec::new());
        assert_eq!(judged(&metrics_only, 1, &[&bearer(TOKEN)], now), Err(Code::Forbidden));
    }

    #[test]
    fn who_guesses_waits_and_nobody_else() {
        let (access, now) = (with_token(), Instant::now());
        let (right, wrong) = (format!("Bearer {TOKEN}"), "Bearer guess");
        for _ in 0..5 {
            assert_eq!(judged(&access, 1, &[wrong], now), Err(Code::Unauthorized));
        }
        assert_eq!(judged(&access, 1, &[wrong], now), Err(Code::TooManyWrongTokens));
        assert_eq!(judged(&access, 1, &[&right], now), Err(Code::TooManyWrongTokens), "or it could be guessed");
        assert_eq!(judged(&access, 1, &[], now), Err(Code::Unauthorized), "that is no guess");
        assert_eq!(judged(&access, 2, &[&right], now), Ok(()));
        let later = now + Duration::from_secs(1);
        assert_eq!(judged(&access, 1, &[&right], later), Ok(()));
        assert_eq!(judged(&access, 1, &[wrong], later), Err(Code::Unauthorized), "its guesses count from the start");
    }

    #[test]
    fn lines_are_few() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        let at = |seconds| seldom.line(start + Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(59), at(60), at(61)], [Some(0), None, None, Some(2), None]);
    }
}
