//! One version of a tenant's modules.

use chrono::{DateTime, Utc};
use pointsman_wasm::module::{Digest, Module};

use crate::api::Origin;
use crate::versions::Entry;

/// All modules of a tenant, which serve together.
#[derive(Debug)]
pub struct Version {
    /// Starts at 1 for each tenant and counts up.
    pub number: u64,
    pub modules: Vec<Module>,
    pub origin: Origin,
    pub made: DateTime<Utc>,
    /// Whether any of the modules reads the observations of upstreams.
    pub watches_upstreams: bool,
}

impl Version {
    pub fn new(number: u64, modules: Vec<Module>, origin: Origin) -> Version {
        let watches_upstreams = modules.iter().any(Module::watches_upstreams);
        Version { number, modules, origin, made: Utc::now(), watches_upstreams }
    }

    /// Recreates an earlier version with reloaded modules.
    pub fn again(entry: &Entry, modules: Vec<Module>) -> Version {
        Version { made: entry.made, ..Version::new(entry.number, modules, entry.origin) }
    }

    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        self.modules.iter().map(Module::digest)
    }

    /// Starts keeping instances when the version begins to serve, or drops them when it stops serving.
    pub(super) fn keep_instances(&self, keep: bool) {
        self.modules.iter().for_each(|module| module.keep_instances(keep));
    }
}
