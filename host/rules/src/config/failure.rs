//! Reads `[tenant.failure]` and the tables below it.

use http::StatusCode;

use crate::config::claims::Claims;
use crate::config::section::{Section, Unit};
use crate::config::{FailureAnswer, Fallback, FallbackPeer, module};

const CONTENT_TYPE: &str = "must be a media type that a header can carry, such as \"text/html; charset=utf-8\"";

pub fn read<'t>(section: Option<Section<'t>>, claims: &Claims<'t>) -> Fallback {
    let defaults = FailureAnswer::default();
    let Some(mut section) = section else { return Fallback::default() };
    let status = section.number("status", 400..=599_u16, Unit::Things);
    let answer = FailureAnswer {
        status: status.and_then(|status| StatusCode::from_u16(status).ok()),
        body: section.string("body").map_or(defaults.body, |body| body.value.to_owned()),
        content_type: section.header_value("content_type", CONTENT_TYPE).unwrap_or(defaults.content_type),
    };
    let fallback = Fallback {
        modules: section.tables("module").into_iter().filter_map(module::read).collect(),
        peer: section.table("peer").and_then(|section| peer(section, claims)),
        answer,
    };
    section.finish();
    fallback
}

/// None if there is no address. The egress policy judges the address at the start.
fn peer<'t>(mut section: Section<'t>, claims: &Claims<'t>) -> Option<FallbackPeer> {
    section.require("address", "\"203.0.113.7:80\"");
    let address = section.string("address");
    let tls = section.boolean("tls").unwrap_or(false);
    let (sni, ca) = (section.string("sni"), section.string("ca"));
    if let Some(ca) = &ca {
        claims.grant(ca);
    }
    for (key, given) in [("sni", sni.is_some()), ("ca", ca.is_some())] {
        if given && !tls {
            section.problem(key, "has no effect without `tls = true`");
        }
    }
    section.finish();
    let text = |text: crate::config::section::Placed<&str>| text.value.to_owned();
    Some(FallbackPeer { address: address?.value.to_owned(), tls, sni: sni.map(text), ca: ca.map(text) })
}
