//! `[admin]`

use crate::config::AdminConfig;
use crate::config::claims::Claims;
use crate::config::section::Section;

pub fn read(section: Option<Section<'_>>, claims: &mut Claims<'_>) -> Option<AdminConfig> {
    let mut section = section?;
    let (socket, address, token_file) =
        (section.path("socket"), section.address("address"), section.path("token_file"));
    if let Some(address) = &address {
        claims.address(address);
    }
    if token_file.is_some() && address.is_none() {
        section.problem("token_file", "means nothing without `address`: on the socket nobody needs a token");
    }
    let beside = || section.beside(AdminConfig::SOCKET);
    let socket = if socket.is_none() && address.is_none() { Some(beside()) } else { socket };
    section.finish();
    Some(AdminConfig { socket, address: address.map(|address| address.value), token_file })
}
