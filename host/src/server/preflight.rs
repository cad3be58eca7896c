//! The requirements of a start on the file system, checked without changing anything: the one list that `run` begins
//! with and `check` reports. Whether an address or a socket is free is left to the start, since `check` also serves
//! for a configuration whose proxy may be running.

use std::path::Path;

use pointsman_rules::config::{AccessLog, Config};
use pointsman_system::file_access::{can_append, can_listen};
use pointsman_wasm::module::OwnFolder;

use crate::control::PrepareError;
use crate::log::AccessLogError;
use crate::release::Store;
use crate::server::{StartError, upgrade};

/// All file-system problems that would make a start fail. `upgrade_socket`: the one that would be used.
pub fn refused(config: &Config, upgrade_socket: Option<&Path>) -> Vec<StartError> {
    let (cache_dir, state_dir) = (&config.proxy.cache_dir, &config.proxy.state_dir);
    let upgrade_socket = upgrade_socket.and_then(|path| upgrade::check(path).err()).map(StartError::from);
    let state_dir =
        state_dir.as_deref().and_then(|path| Store::check(path).err()).map(PrepareError::from).map(StartError::from);
    let cache_dir = cache_dir.as_ref().and_then(|path| {
        let refused = |source| StartError::Cache { path: path.clone(), source };
        OwnFolder::check(path).err().map(refused)
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
