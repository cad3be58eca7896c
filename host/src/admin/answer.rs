//! The API's errors.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use pointsman_rules::config::nearest;
use serde_json::{Value, json};

/// A request that failed. `{"error": {"code": ..., "message": ...}}`
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub code: Code,
    pub message: String,
    /// The step at which a new version was refused.
    pub step: Option<&'static str>,
    /// The query parameter that was refused.
    pub parameter: Option<String>,
    /// The methods that the path supports, for `Allow`.
    pub allow: Option<String>,
    /// When to retry, for `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// The kinds of errors, for programs to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    Unauthorized,
    Forbidden,
    HostNotAllowed,
    CrossSite,
    TooManyWrongTokens,
    NotFound,
    MethodNotAllowed,
    NoSuchTenant,
    NoSuchVersion,
    NoSuchModule,
    NoCandidate,
    NothingToRollBackTo,
    AlreadyLive,
    OnTrial,
    UpgradeUnderWay,
    NoStateDir,
    TooLarge,
    Refused,
    ConfigRefused,
    NotKept,
    Internal,
}

impl Code {
    pub const ALL: [Code; 22] = [
        Code::BadRequest,
        Code::Unauthorized,
        Code::Forbidden,
        Code::HostNotAllowed,
        Code::CrossSite,
        Code::TooManyWrongTokens,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::NoSuchTenant,
        Code::NoSuchVersion,
        Code::NoSuchModule,
        Code::NoCandidate,
        Code::NothingToRollBackTo,
        Code::AlreadyLive,
        Code::OnTrial,
        Code::UpgradeUnderWay,
        Code::NoStateDir,
        Code::TooLarge,
        Code::Refused,
        Code::ConfigRefused,
        Code::NotKept,
        Code::Internal,
    ];

    pub fn name(self) -> &'static str {
        self.answer().1
    }

    pub fn status(self) -> StatusCode {
        self.answer().0
    }

    /// Whether the client was refused access, regardless of the operation.
    pub fn is_of_access(self) -> bool {
        use Code::{CrossSite, Forbidden, HostNotAllowed, TooManyWrongTokens, Unauthorized};
        matches!(self, Unauthorized | Forbidden | HostNotAllowed | CrossSite | TooManyWrongTokens)
    }

    fn answer(self) -> (StatusCode, &'static str) {
        match self {
            Code::BadRequest => (StatusCode::BAD_REQUEST, "bad-request"),
            Code::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Code::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Code::HostNotAllowed => (StatusCode::MISDIRECTED_REQUEST, "host-not-allowed"),
            Code::CrossSite => (StatusCode::FORBIDDEN, "cross-site"),
            Code::TooManyWrongTokens => (StatusCode::TOO_MANY_REQUESTS, "too-many-wrong-tokens"),
            Code::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            Code::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"),
            Code::NoSuchTenant => (StatusCode::NOT_FOUND, "no-such-tenant"),
            Code::NoSuchVersion => (StatusCode::NOT_FOUND, "no-such-version"),
            Code::NoSuchModule => (StatusCode::NOT_FOUND, "no-such-module"),
            Code::NoCandidate => (StatusCode::CONFLICT, "no-candidate"),
            Code::NothingToRollBackTo => (StatusCode::CONFLICT, "nothing-to-roll-back-to"),
            Code::AlreadyLive => (StatusCode::CONFLICT, "already-live"),
            Code::OnTrial => (StatusCode::CONFLICT, "on-trial"),
            Code::UpgradeUnderWay => (StatusCode::CONFLICT, "upgrade-under-way"),
            Code::NoStateDir => (StatusCode::CONFLICT, "no-state-dir"),
            Code::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Code::Refused => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
            Code::ConfigRefused => (StatusCode::UNPROCESSABLE_ENTITY, "config-refused"),
            Code::NotKept => (StatusCode::INTERNAL_SERVER_ERROR, "not-kept"),
            Code::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl ApiError {
    pub fn new(code: Code, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into(), step: None, parameter: None, allow: None, retry_after: None }
    }

    /// A query parameter that is not valid.
    pub fn of_parameter(name: &str, message: impl Into<String>) -> ApiError {
        ApiError { parameter: Some(name.to_owned()), ..ApiError::new(Code::BadRequest, message) }
    }

    pub fn json(&self) -> Value {
        let mut error = json!({"code": self.code.name(), "message": self.message});
        if let Some(error) = error.as_object_mut() {
            let more = [("step", self.step), ("parameter", self.parameter.as_deref())];
            let more = more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
            error.extend(more);
        }
        json!({"error": error})
    }

    /// Adds the headers that the status requires.
    pub fn headers(&self, headers: &mut HeaderMap) {
        if self.code == Code::Unauthorized {
            // Required by RFC 9110, section 11.6.1.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"pointsman\""));
        }
        if let Some(allow) = self.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up so that no client returns too early.
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
    }
}

/// The error for an unknown tenant, with the name that may be meant.
pub fn no_such_tenant<'n>(name: &str, known: impl Iterator<Item = &'n String>) -> ApiError {
    /// Maximum length of a tenant's name, in bytes.
    const LONGEST: usize = 64;
    let known: Vec<&str> = known.map(String::as_str).collect();
    let meant = match nearest(name, &known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`pointsman admin tenants` (GET /v1/tenants) lists them".to_owned(),
    };
    let name = pointsman_rules::text::printable(name, LONGEST).0;
    ApiError::new(Code::NoSuchTenant, format!("no tenant has the name `{name}`; {meant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_that_may_be_meant_is_told() {
        let known = ["cart".to_owned(), "my-shop".to_owned()];
        let message = |name| no_such_tenant(name, known.iter()).message;
        assert_eq!(message("my_shp"), "no tenant has the name `my_shp`; did you mean `my-shop`?");
        let expected = "no tenant has the name `a\\u{1b}`; `pointsman admin tenants` (GET /v1/tenants) lists them";
        assert_eq!(message("a\u{1b}"), expected);
    }
}
