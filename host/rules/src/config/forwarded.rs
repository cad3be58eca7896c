//! Reads `[listener.forwarded]`.

use crate::config::ForwardedConfig;
use crate::config::section::{Section, choose};

#[derive(Clone, Copy)]
enum Style {
    XForwarded,
    Forwarded,
}

const STYLES: [(&str, Style); 2] = [("x-forwarded", Style::XForwarded), ("forwarded", Style::Forwarded)];

pub fn read(section: Option<Section<'_>>) -> ForwardedConfig {
    let defaults = ForwardedConfig::default();
    let Some(mut section) = section else { return defaults };
    let mut config = ForwardedConfig { trusted: section.networks("trusted"), ..defaults };
    if let Some(headers) = section.strings("headers") {
        (config.x_forwarded, config.forwarded) = (false, false);
        for style in headers {
            match choose(&style, &STYLES, section.findings()) {
                Some(Style::XForwarded) => config.x_forwarded = true,
                Some(Style::Forwarded) => config.forwarded = true,
                None => {}
            }
        }
    }
    config.via = section.boolean("via").unwrap_or(config.via);
    section.finish();
    config
}
