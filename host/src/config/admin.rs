//! `[admin]`

use crate::config::AdminConfig;
use crate::config::claims::Claims;
use crate::config::section::Section;

pub fn read(section: Option<Section<'_>>, claims: &mut Claims<'_>) -> Option<AdminConfig> {
    let mut section = section?;
    let address = section.address("address");
    if let Some(address) = &address {
        claims.address(address);
    }
    section.finish();
    Some(AdminConfig { address: address.map_or(AdminConfig::ADDRESS, |address| address.value) })
}
