//! What a start needs of the file system, judged without changing anything: the one list that `run` begins with and
//! that `check` reports. Whether an address or a socket is free is for the start alone to find out, since `check` is
//! for a configuration whose proxy may be running.

use std::path::Path;

use pointsman_rules::config::{AccessLog, Config};
use pointsman_system::file_access::{can_append, can_listen};
use pointsman_wasm::module;

use crate::log::AccessLogError;
use crate::release::Store;
use crate::server::{StartError, upgrade};

/// Everything of the file system that a start would refuse. `upgrade_socket`: the one that would be used.
pub fn refused(config: &Config, upgrade_socket: Option<&Path>) -> Vec<StartError> {
    let (cache_dir, state_dir) = (&config.proxy.cache_dir, &config.proxy.state_dir);
    let upgrade_socket = upgrade_socket.and_then(|path| upgrade::check(path).err()).map(StartError::from);
    let state_dir = state_dir.as_deref().and_then(|path| Store::check(path).err()).map(StartError::from);
    let cache_dir = cache_dir.as_ref().and_then(|path| {
        let refused = |source| StartError::Cache { path: path.clone(), source };
        module::check_cache(path).err().map(refused)
    });
    let access_log = match &config.log.access {
        AccessLog::Off | AccessLog::Stdout => None,
        AccessLog::File(path) => can_append(path)
            .err()
            .map(|source| StartError::AccessLog(AccessLogError::Open { path: path.clone(), source })),
    };
    let socket = config.admin.as_ref().and_then(|admin| admin.socket.as_deref());
    let socket = socket.and_then(|path| {
        let refused = |source| StartError::Admin { address: path.display().to_string(), source };
        can_listen(path).err().map(refused)
    });
    [upgrade_socket, state_dir, cache_dir, access_log, socket].into_iter().flatten().collect()
}
