//! `[listener.forwarded]`

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::ForwardedConfig;
use crate::config::problem::shown;
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
    let mut config = ForwardedConfig { trusted: trusted(&mut section), ..defaults };
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
    section.finish();
    config
}

fn trusted(section: &mut Section<'_>) -> Vec<IpNet> {
    let findings = section.findings();
    let texts = section.strings("trusted").unwrap_or_default().into_iter();
    let networks = texts.filter_map(|text| {
        let address = text.value.parse::<IpAddr>().map(IpNet::from);
        match address.or_else(|_| text.value.parse::<IpNet>()) {
            Ok(network) if network == network.trunc() => Some(network),
            Ok(network) => {
                let message = format!("`{network}` has bits beyond its prefix: write `{}`", network.trunc());
                findings.add(&text.place, message);
                None
            }
            Err(_) => {
                let message = "must be an IP address or a network, such as \"10.0.0.0/8\"";
                findings.add(&text.place, format!("{message}, found `{}`", shown(text.value)));
                None
            }
        }
    });
    networks.collect()
}
