//! The body of an answer with an error status.

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::ReleaseStep;

/// The body of every answer with an error status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Error {
    pub error: ErrorDetails,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct ErrorDetails {
    /// The kind of error, for programs.
    pub code: Code,
    /// What went wrong and what to do, for people.
    pub message: String,
    /// The step at which a new version was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ReleaseStep")]
    pub step: Option<ReleaseStep>,
    /// The query parameter that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub parameter: Option<String>,
}

/// The kinds of errors, which programs can distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
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
    NotSaved,
    Internal,
}

impl Code {
    /// All codes.
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
        Code::NotSaved,
        Code::Internal,
    ];

    /// Its name in JSON, in logs and in metrics.
    pub fn name(self) -> &'static str {
        self.answer().1
    }

    /// The status of the answer.
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
            Code::NotSaved => (StatusCode::INTERNAL_SERVER_ERROR, "not-saved"),
            Code::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_has_the_same_name_everywhere() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).expect("JSON"), code.name());
        }
    }
}
