//! Failed attempts as JSON, with the names of the WIT.

use pointsman_guest as wit;
use serde::Serialize;

/// The list, as a response's body.
pub fn to_json(attempts: &[wit::Attempt]) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Shown<'a>(#[serde(with = "AttemptDef")] &'a wit::Attempt);
    serde_json::to_vec(&attempts.iter().map(Shown).collect::<Vec<_>>())
}

#[derive(Serialize)]
#[serde(remote = "wit::Attempt", rename_all = "kebab-case")]
struct AttemptDef {
    number: u32,
    address: String,
    #[serde(with = "StageDef")]
    stage: wit::Stage,
    #[serde(with = "FailureDef")]
    failure: wit::Failure,
    status: Option<u16>,
    reused_connection: bool,
    request_sent: bool,
    elapsed_ms: u32,
    detail: String,
}

#[derive(Serialize)]
#[serde(remote = "wit::Stage", rename_all = "kebab-case")]
enum StageDef {
    Resolve,
    Connect,
    ConnectProxy,
    Tls,
    Send,
    Receive,
    Other,
}

#[derive(Serialize)]
#[serde(remote = "wit::Failure", rename_all = "kebab-case")]
enum FailureDef {
    Timeout,
    Refused,
    Unreachable,
    Closed,
    Certificate,
    Protocol,
    ProxyRefused,
    Status,
    Other,
}
