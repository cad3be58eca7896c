//! The result of building a module: machine code that can be kept, and facts about it.

use pointsman_native::artefacts::CompiledCode;
use pointsman_rewind::{HOST, NotRewindable, READ_ANSWER, SELECT_PEER, instrument};
use pointsman_rules::config::Class;
use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::module::{LoadError, Needs};

/// A built module.
#[derive(Debug, Clone)]
pub struct Artefact {
    pub facts: Facts,
    pub code: CompiledCode,
}

/// Facts about a built module, in addition to its code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Of the module as its author made it.
    pub class: Class,
    /// Of the component that was compiled: a snapshot has the memory that `configure` left.
    pub needs: Needs,
    pub configure: Configure,
    /// Why start functions run in each instance. None: there are none, or they ran before a snapshot was made.
    pub starts: Option<String>,
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
    /// Nothing in the component's form is against it, but it also depends on the state that `configure` leaves, and
    /// that is not known.
    Unknown {
        reason: String,
    },
}

impl Rewinding {
    /// Whether instrumentation added this import or export to the compiled component.
    pub fn added(&self, name: &str) -> bool {
        *self == Rewinding::Possible && [HOST, SELECT_PEER, READ_ANSWER].contains(&name)
    }
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
            Configure::Absent | Configure::Snapshot => instrument(component).map_err(|not| match &facts.starts {
                Some(reason) if not == NotRewindable::Starts => reason.clone(),
                _ => not.to_string(),
            }),
            Configure::EachInstance { reason } => Err(in_each_instance(reason)),
        };
        let (component, rewinding) = match &instrumented {
            Ok(component) => (component.as_slice(), Rewinding::Possible),
            Err(reason) => (component, Rewinding::Impossible { reason: reason.clone() }),
        };
        let code = CompiledCode::compile(engine, component).map_err(not_compiled)?;
        Ok(Artefact { facts: Facts { rewinding, ..facts }, code })
    }

    /// Loads the component, for an engine with the settings of the one that it was compiled for.
    pub fn component(&self, engine: &Engine) -> Result<Component, LoadError> {
        self.code.component(engine).map_err(not_compiled)
    }
}

/// Why a module is not rewound whose `configure` is called in each instance, for this reason.
pub fn in_each_instance(reason: &str) -> String {
    format!("`configure` is called in each instance, since no snapshot can be made: {reason}")
}

/// The refusal of a component that Wasmtime does not compile, or of code that it does not take.
pub fn not_compiled(error: wasmtime::Error) -> LoadError {
    LoadError::Compile { message: format!("{error:#}") }
}
