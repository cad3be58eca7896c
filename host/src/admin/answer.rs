//! The API's errors.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use pointsman_rules::config::nearest;

use crate::api::{Code, Error, ErrorDetails, ReleaseStep};

/// A request that failed: the parts of its answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub code: Code,
    pub message: String,
    /// The step at which a new version was refused.
    pub step: Option<ReleaseStep>,
    /// The query parameter that was refused.
    pub parameter: Option<String>,
    /// The methods that the path supports, for `Allow`.
    pub allow: Option<String>,
    /// When to retry, for `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    pub fn new(code: Code, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into(), step: None, parameter: None, allow: None, retry_after: None }
    }

    /// A query parameter that is not valid.
    pub fn of_parameter(name: &str, message: impl Into<String>) -> ApiError {
        ApiError { parameter: Some(name.to_owned()), ..ApiError::new(Code::BadRequest, message) }
    }

    pub fn body(&self) -> Error {
        let ApiError { code, message, step, parameter, allow: _, retry_after: _ } = self.clone();
        Error { error: ErrorDetails { code, message, step, parameter } }
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
