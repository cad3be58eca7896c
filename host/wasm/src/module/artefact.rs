//! The result of building a module: machine code that can be kept, and facts about it.

use std::fs::File;
use std::os::fd::AsRawFd as _;

use pointsman_rewind::{HOST, SAID, SELECT_PEER, instrument};
use pointsman_rules::config::Class;
use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::module::{LoadError, Needs};

/// A built module.
#[derive(Debug, Clone, PartialEq)]
pub struct Artefact {
    pub facts: Facts,
    /// As Wasmtime serializes a component.
    code: Vec<u8>,
}

/// Facts about a built module, in addition to its code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Of the module as its author made it.
    pub class: Class,
    /// Of the component that was compiled: a snapshot has the memory that `configure` left.
    pub needs: Needs,
    pub configure: Configure,
    pub warmth: Warmth,
    pub rewinding: Rewinding,
    /// Lines that the module logged in `configure`.
    pub log: Vec<String>,
}

/// How a module's `configure` is handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Configure {
    /// The module does not export it.
    Absent,
    /// It was called in the build: an instance starts with the state that it left.
    Snapshot,
    /// It is called in each instance, since no snapshot can be made.
    EachInstance { reason: String },
}

/// Whether instances start with the state that a first decision leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Warmth {
    NotWanted,
    /// This many requests were decided before.
    Warm {
        requests: usize,
    },
    /// Warming up was tried, without success.
    Cold {
        reason: String,
    },
}

/// Whether an instance that has decided can be put back to the state in which it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rewinding {
    /// The component is not compiled yet.
    #[default]
    NotTried,
    Possible,
    Impossible {
        reason: String,
    },
}

impl Rewinding {
    /// Whether instrumentation added this import or export to the compiled component.
    pub fn added(&self, name: &str) -> bool {
        *self == Rewinding::Possible && [HOST, SELECT_PEER, SAID].contains(&name)
    }
}

/// Loads the component whose code a file begins with, for an engine with the settings of the one that it was compiled
/// for.
///
/// The code is run where it is mapped, so the file must belong to this user alone, be unchanged since it was checked,
/// and stay unchanged: see `Cache`.
pub fn component_of_file(engine: &Engine, file: &File) -> Result<Component, LoadError> {
    // By its descriptor: its name may lead to another file by now.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    #[expect(unsafe_code, reason = "Wasmtime trusts what it serialized; see above for why it may")]
    let component = unsafe { Component::deserialize_file(engine, path) };
    component.map_err(|error| LoadError::Compile { message: format!("{error:#}") })
}

impl Facts {
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// None if the bytes are not those of facts.
    pub fn from_bytes(bytes: &[u8]) -> Option<Facts> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Artefact {
    /// Compiles a component, instrumented for rewinding if that is possible.
    pub fn compile(engine: &Engine, component: &[u8], facts: Facts) -> Result<Artefact, LoadError> {
        let instrumented = match &facts.configure {
            Configure::Absent | Configure::Snapshot => instrument(component).map_err(|not| not.to_string()),
            Configure::EachInstance { .. } => Err("`configure` is called in each instance".to_owned()),
        };
        let (component, rewinding) = match &instrumented {
            Ok(component) => (component.as_slice(), Rewinding::Possible),
            Err(reason) => (component, Rewinding::Impossible { reason: reason.clone() }),
        };
        let code = engine
            .precompile_component(component)
            .map_err(|error| LoadError::Compile { message: format!("{error:#}") })?;
        Ok(Artefact { facts: Facts { rewinding, ..facts }, code })
    }

    /// Loads the component, for an engine with the settings of the one that it was compiled for.
    ///
    /// The code is run as it is, so an artefact must come from here: from this process, or from a file or a process
    /// that is ours alone (`Cache`, `build_in_child`).
    pub fn component(&self, engine: &Engine) -> Result<Component, LoadError> {
        #[expect(unsafe_code, reason = "Wasmtime trusts what it serialized; see above for why it may")]
        let component = unsafe { Component::deserialize(engine, &self.code) };
        component.map_err(|error| LoadError::Compile { message: format!("{error:#}") })
    }

    /// As Wasmtime serializes a component.
    pub fn code(&self) -> &[u8] {
        &self.code
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let facts = self.facts.to_bytes();
        let length = u32::try_from(facts.len()).unwrap_or(u32::MAX).to_le_bytes();
        [length.as_slice(), &facts, &self.code].concat()
    }

    /// None if the bytes are not those of an artefact.
    pub fn from_bytes(bytes: &[u8]) -> Option<Artefact> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (facts, code) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        Some(Artefact { facts: Facts::from_bytes(facts)?, code: code.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_make_the_same_artefact_again() {
        let facts = Facts {
            class: Class::Runtime,
            needs: Needs::default(),
            configure: Configure::EachInstance { reason: "x".to_owned() },
            warmth: Warmth::Warm { requests: 3 },
            rewinding: Rewinding::Impossible { reason: "y".to_owned() },
            log: vec!["é".to_owned()],
        };
        let artefact = Artefact { facts, code: vec![1, 2, 3] };
        let bytes = artefact.to_bytes();
        assert_eq!(Artefact::from_bytes(&bytes), Some(artefact));
        assert_eq!(Artefact::from_bytes(&bytes[..6]), None);
        assert_eq!(Artefact::from_bytes(&[]), None);
        assert_eq!(Artefact::from_bytes(&[255; 8]), None);
    }
}
