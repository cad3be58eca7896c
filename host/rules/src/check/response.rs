//! Checks a response that the module itself gives.

use http::StatusCode;

use crate::check::refusal::{At, within};
use crate::check::spec::{Checked, ResponseFields, ResponseSpec};
use crate::check::{Problem, Refusal, headers};
use crate::config::Limits;
use crate::contract;

pub fn check(raw: contract::Response, limits: &Limits) -> Result<ResponseSpec, Refusal> {
    const STATUS: &str = "respond.status";
    const BODY: &str = "respond.body";
    within(raw.status.into(), 200, 599, "").at(STATUS)?;
    let status = StatusCode::from_u16(raw.status).map_err(|_| Problem::Rule("it is not a status").at(STATUS))?;
    if raw.body.len() > limits.response_body_bytes {
        return Err(Problem::TooLong { found: raw.body.len(), most: limits.response_body_bytes }.at(BODY));
    }
    if [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
        && !raw.body.is_empty()
    {
        return Err(Problem::Rule("a response with status 204, 205 or 304 has no body").at(BODY));
    }
    let headers = headers::list(raw.headers, "respond.headers", headers::Message::Response)?;
    Ok(Checked(ResponseFields { status, headers, body: raw.body }))
}
