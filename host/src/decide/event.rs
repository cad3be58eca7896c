//! The record of one decision.

use std::time::Duration;

use pointsman_rules::inputs::Inputs;
use pointsman_wasm::module::Module;

use crate::answer::Failure;
use crate::evaluate::{Action, ModuleCall};
use crate::metrics::FallbackLevel;
use crate::tenant::Tenant;
use crate::versions::Version;

/// Everything about one decision for traffic: its inputs, what each module read, logged and answered, and the action.
/// With the inputs, `Read::seen` gives the value of every recorded read without loss; `Reads::is_complete` says whether
/// all were recorded. The proxy passes each event to its subscribers: the access log, module logs, the explanations of
/// `pointsman dev`, shadowing.
#[derive(Debug)]
pub struct DecisionEvent<'a> {
    pub tenant: &'a Tenant,
    pub version: &'a Version,
    pub inputs: &'a Inputs,
    /// The modules that were called, in order, with those of a fallback last.
    pub calls: Vec<ModuleCall<'a>>,
    /// The module whose cached decision this is: no module was called.
    pub cached: Option<&'a Module>,
    pub action: Result<Action, Failure>,
    /// The fallback that replaced the modules' own decision, if that failed.
    pub fallback: Option<FallbackTaken>,
}

/// The fallback level that was used, and the failure that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallbackTaken {
    pub level: FallbackLevel,
    pub reason: Failure,
}

impl DecisionEvent<'_> {
    /// The module that decided, or that was called last.
    pub fn module(&self) -> Option<&Module> {
        self.cached.or_else(|| self.calls.last().map(|call| call.module))
    }

    /// Wall time of all calls.
    pub fn elapsed(&self) -> Duration {
        self.calls.iter().map(|call| call.report.elapsed).sum()
    }

    /// The outcome of the version itself, whatever the fallback made of it.
    pub fn before_fallback(&self) -> Result<&Action, &Failure> {
        match &self.fallback {
            None => self.action.as_ref(),
            Some(taken) => Err(&taken.reason),
        }
    }
}
