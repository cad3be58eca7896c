//! Calls `configure`, in which a module processes its configuration once, so that no decision has to.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method};
use pointsman_rules::config::Limits;
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::{Arrival, RequestHead};
use pointsman_rules::settings::ModuleSettings;
use pointsman_rules::text::printable;
use wasmtime::component::{ComponentExportIndex, Instance};
use wasmtime::{AsContextMut, Store};

use crate::call::CallError;
use crate::state::{Call, LogLine, State};

/// Most bytes that are kept of a module's reason for refusing its configuration.
const LONGEST_REASON: usize = 1024;

/// A store in which `configure` may run: without a request, and without the stores that outlive a call.
pub fn store_to_configure(engine: &wasmtime::Engine, settings: Arc<ModuleSettings>, limits: &Limits) -> Store<State> {
    let head = Arc::new(RequestHead::new(Arrival {
        method: Method::GET,
        target: b"/".to_vec(),
        authority: String::new(),
        headers: HeaderMap::new(),
        client_ip: None,
        listener: "".into(),
        tls: None,
    }));
    let call = Call { inputs: &Inputs::first(head), stores: None, limits };
    let mut store = Store::new(engine, State::new(settings, call, Instant::now()));
    State::set_up(&mut store, limits);
    State::start_budget(&mut store, limits.configure);
    store
}

/// Calls an instance's `configure`.
pub fn configure(
    store: &mut impl AsContextMut<Data = State>,
    instance: &Instance,
    configure: &ComponentExportIndex,
    limits: &Limits,
) -> Result<(), CallError> {
    let mut store = store.as_context_mut();
    let json = store.data().settings.json().to_owned();
    let answer = instance
        .get_typed_func::<(&str,), (Result<(), String>,)>(&mut store, configure)
        .and_then(|function| function.call(&mut store, (json.as_str(),)));
    // Unfinished output of `configure` must not run into the output of a decision.
    store.data_mut().finish_output();
    match answer {
        Ok((Ok(()),)) => Ok(()),
        Ok((Err(reason),)) => Err(CallError::Declined(printable(&reason, LONGEST_REASON).0)),
        Err(error) => Err(CallError::from_trap(&error, &store.data().limiter, limits)),
    }
}

/// Takes the lines that were logged so far.
pub fn take_lines(store: &mut Store<State>) -> Vec<LogLine> {
    std::mem::take(&mut store.data_mut().lines).into_lines()
}
