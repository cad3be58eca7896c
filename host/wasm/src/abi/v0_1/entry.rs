//! Calls an instance's `select-peer` and reads its result: through the module's own function, or through those that
//! instrumentation added.

use std::sync::Arc;

use pointsman_rewind::{READ_ANSWER, RewindableStore, SELECT_PEER};
use pointsman_rules::contract::RawAnswer;
use wasmtime::component::{Component, ComponentExportIndex, Instance, Resource, TypedFunc};

use crate::abi::Layout;
use crate::abi::canonical_abi::AnswerKey;
use crate::abi::v0_1::Subject;
use crate::abi::v0_1::bindings::pointsman::router::types;
use crate::state::State;

/// The functions that instrumentation added to a component. They leave the answer in the module's memory.
pub(crate) struct Added {
    select_peer: ComponentExportIndex,
    read_answer: ComponentExportIndex,
    layout: Arc<Layout>,
}

/// The functions through which an instance is called to decide.
pub(crate) struct Entry {
    instance: Instance,
    select_peer: SelectPeer,
    /// The added function that returns the answer, once it was called.
    read_answer: Option<TypedFunc<(), (Result<types::Decision, String>,)>>,
}

enum SelectPeer {
    Own(TypedFunc<(Resource<Subject>,), (Result<types::Decision, String>,)>),
    /// Its second parameter says whether to restore the globals of the start; it returns the address of the answer.
    Added(TypedFunc<(Resource<Subject>, bool), (u32,)>, Arc<Added>),
}

/// The result of a call: a trap, the module's reason for declining, or its answer.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, String>>;

fn raw_answer<K>(decision: types::Decision, record: Option<&AnswerKey>) -> RawAnswer<K> {
    let record = record.map(|record| record.as_slice().into());
    RawAnswer::Decision { decision: Box::new(decision.into()), record }
}

impl Added {
    /// Finds them in a component. None: nothing was added to it.
    pub fn to(component: &Component, layout: impl FnOnce() -> Option<Arc<Layout>>) -> Option<Added> {
        let index = |name| component.get_export_index(None, name);
        Some(Added { select_peer: index(SELECT_PEER)?, read_answer: index(READ_ANSWER)?, layout: layout()? })
    }
}

impl Entry {
    /// Uses the functions that were `added`, or else the module's `own`.
    pub fn of(
        instance: Instance,
        store: &mut RewindableStore<State>,
        own: &ComponentExportIndex,
        added: Option<&Arc<Added>>,
    ) -> wasmtime::Result<Entry> {
        let select_peer = match added {
            Some(added) => SelectPeer::Added(instance.get_typed_func(store, added.select_peer)?, added.clone()),
            None => SelectPeer::Own(instance.get_typed_func(store, own)?),
        };
        Ok(Entry { instance, select_peer, read_answer: None })
    }

    /// Calls `select-peer`, with the globals of the start if `rewind` says so. An answer whose bytes are `known` is not
    /// lifted again.
    pub fn ask<K>(
        &mut self,
        store: &mut RewindableStore<State>,
        rewind: bool,
        known: impl FnOnce(&[u8]) -> Option<K>,
    ) -> Answer<RawAnswer<K>> {
        // The one request of this call: see `Subject`.
        let request = Resource::new_borrow(0);
        let (select_peer, added) = match &self.select_peer {
            SelectPeer::Own(select_peer) => {
                let (answer,) = store.call(*select_peer, (request,))?;
                return Ok(answer.map(|decision| raw_answer(decision, None)));
            }
            SelectPeer::Added(select_peer, added) => (select_peer, added),
        };
        let (place,) = store.call(*select_peer, (request, rewind))?;
        let mut record = AnswerKey::new();
        let is_read = store.answers().is_some_and(|memory| {
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            added.layout.read(memory, place, &mut record).is_ok()
        });
        if is_read && let Some(known) = known(&record) {
            return Ok(Ok(RawAnswer::Known(known)));
        }
        let read_answer = match self.read_answer {
            Some(read_answer) => read_answer,
            None => *self.read_answer.insert(self.instance.get_typed_func(&mut *store, added.read_answer)?),
        };
        let (answer,) = store.call(read_answer, ())?;
        Ok(answer.map(|decision| raw_answer(decision, is_read.then_some(&record))))
    }
}

#[cfg(test)]
mod tests {
    use pointsman_rules::contract::{Decision, Route};

    use super::*;
    use crate::call::decide_with;
    use crate::call::tests::{router, with_call};
    use crate::module::{Loader, Module};

    fn answer_to(module: &Module, path: &str, known: &[u8]) -> RawAnswer<()> {
        with_call(module, path, |call| {
            decide_with(module.callee(), call, |record| (record == known).then_some(())).0.unwrap()
        })
    }

    #[test]
    fn known_answer_is_not_lifted_again() {
        let loader = Loader::new(1, 0).unwrap();
        // The module connects to its path.
        let load = || router(&loader, 2056, 4096, "", "(i32.const 2048)");
        for module in [load(), load().without_rewinding(), load().with_instance_calls(100)] {
            let RawAnswer::Decision { decision, record: Some(known) } = answer_to(&module, "/a", b"") else {
                panic!("no record")
            };
            assert_eq!(*decision, Decision::Connect(Route::to("/a")));
            for _ in 0..3 {
                assert!(matches!(answer_to(&module, "/a", &known), RawAnswer::Known(())));
                let RawAnswer::Decision { decision, .. } = answer_to(&module, "/b", &known) else {
                    panic!("a cached answer")
                };
                assert_eq!(*decision, Decision::Connect(Route::to("/b")));
            }
        }
    }
}
