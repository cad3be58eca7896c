//! The user's cache folder: toolchains, and the modules that the author's commands have compiled.

use std::env;
use std::path::{Path, PathBuf};

use pointsman_rules::config::ProxyConfig;
use pointsman_wasm::module::{Loader, OwnFolder};

/// The folder `pointsman` in the user's cache folder. None: the environment names none.
pub fn folder() -> Option<PathBuf> {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    Some(cache.join("pointsman"))
}

/// The folder for compiled modules: in the user's cache folder, and never `proxy.cache_dir`, which is a proxy's own.
/// None, with a warning on standard error: it cannot be used.
pub fn compiled_modules() -> Option<PathBuf> {
    let path = folder()?.join("modules");
    match OwnFolder::check(&path) {
        Ok(()) => Some(path),
        Err(error) => {
            eprintln!("warning: compiled modules are not kept in {}: {error}", path.display());
            None
        }
    }
}

/// A loader for one decision at a time, which keeps what it compiles in the folder of [`compiled_modules`].
pub fn loader() -> anyhow::Result<Loader> {
    let loader = Loader::reading_debug_info(1, 0)?;
    match compiled_modules() {
        Some(folder) => Ok(loader.with_cache(&folder, ProxyConfig::CACHE_BYTES)?),
        None => Ok(loader),
    }
}
