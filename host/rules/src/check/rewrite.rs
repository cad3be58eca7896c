//! Checks the changes that a module makes to the request.

use http::uri::PathAndQuery;

use crate::check::headers::{self, Message};
use crate::check::refusal::At;
use crate::check::spec::{Checked, RewriteFields, RewriteSpec};
use crate::check::{Problem, Refusal, address};
use crate::contract;

/// Longest path and query, in bytes: the limit of the `http` crate.
const LONGEST_PATH: usize = 65_534;

pub fn check(raw: contract::Rewrite) -> Result<RewriteSpec, Refusal> {
    if let Some(authority) = &raw.authority {
        address::authority(authority).at("rewrite.authority")?;
    }
    if let Some(path) = &raw.path_and_query {
        path_and_query(path).at("rewrite.path-and-query")?;
    }
    Ok(Checked(RewriteFields {
        authority: raw.authority,
        path_and_query: raw.path_and_query,
        remove_headers: headers::names(&raw.remove_headers, "rewrite.remove-headers")?,
        set_headers: headers::unique(raw.set_headers, "rewrite.set-headers", Message::Request)?,
        add_headers: headers::list(raw.add_headers, "rewrite.add-headers", Message::Request)?,
    }))
}

fn path_and_query(text: &str) -> Result<(), Problem> {
    if text.len() > LONGEST_PATH {
        return Err(Problem::TooLong { found: text.len(), most: LONGEST_PATH });
    }
    if !text.starts_with('/') {
        return Err(Problem::value(text, "does not start with `/`"));
    }
    if text.contains('#') {
        return Err(Problem::value(text, "has a fragment"));
    }
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !printable || PathAndQuery::try_from(text).is_err() {
        return Err(Problem::value(text, "has characters that must be percent-encoded"));
    }
    Ok(())
}
