//! How an instance is asked, and how its answer is had: by the module's own function, or by those that were added to it.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, Resource, TypedFunc};

use crate::call::layout::{Layout, Record};
use crate::call::{State, Subject};
use crate::module::rewindable;
use crate::raw;

/// The functions that were added to a component, which leave the answer where it is.
pub(crate) struct Added {
    select_peer: ComponentExportIndex,
    said: ComponentExportIndex,
    layout: Arc<Layout>,
}

/// Where an instance is entered to decide.
pub(super) struct Entry {
    instance: Instance,
    select_peer: SelectPeer,
    /// Of what was added, once it was called.
    said: Option<TypedFunc<(), (Result<raw::Decision, String>,)>>,
}

enum SelectPeer {
    Own(TypedFunc<(Resource<Subject>,), (Result<raw::Decision, String>,)>),
    /// It is told whether to begin with the globals of the start, and tells where the answer lies.
    Added(TypedFunc<(Resource<Subject>, bool), (u32,)>, Arc<Added>),
}

/// What a module said.
#[derive(Debug)]
pub enum Said<K> {
    /// To connect, in words that are known.
    Known(K),
    Decision {
        decision: Box<raw::Decision>,
        /// The bytes by which it can be known the next time, if there are such.
        record: Option<Box<[u8]>>,
    },
}

impl<K> Said<K> {
    fn new(decision: raw::Decision, record: Option<&Record>) -> Said<K> {
        Said::Decision { decision: Box::new(decision), record: record.map(|record| record.as_slice().into()) }
    }

    /// As the WIT package calls it.
    pub fn name(&self) -> &'static str {
        let decision = match self {
            Said::Known(_) => return "connect",
            Said::Decision { decision, .. } => &**decision,
        };
        match decision {
            raw::Decision::Connect(_) => "connect",
            raw::Decision::Respond(_) => "respond",
            raw::Decision::Pass => "pass",
        }
    }
}

/// What comes of asking: a trap, the module's reason not to decide, or what it said.
pub(super) type Answer<T> = wasmtime::Result<Result<T, String>>;

impl Added {
    /// Of a component to which they were added.
    pub fn to(component: &Component, layout: impl FnOnce() -> Option<Arc<Layout>>) -> Option<Added> {
        let index = |name| component.get_export_index(None, name);
        Some(Added { select_peer: index(rewindable::SELECT_PEER)?, said: index(rewindable::SAID)?, layout: layout()? })
    }
}

impl Entry {
    /// By what was `added`, or else by the module's `own` function.
    pub fn of(
        instance: Instance,
        store: &mut Store<State>,
        own: &ComponentExportIndex,
        added: Option<&Arc<Added>>,
    ) -> wasmtime::Result<Entry> {
        let select_peer = match added {
            Some(added) => SelectPeer::Added(instance.get_typed_func(store, added.select_peer)?, added.clone()),
            None => SelectPeer::Own(instance.get_typed_func(store, own)?),
        };
        Ok(Entry { instance, select_peer, said: None })
    }

    /// Asks, with the globals of the start if it is to `rewind`. An answer that is `known` by its bytes is not made
    /// again.
    pub fn ask<K>(
        &mut self,
        store: &mut Store<State>,
        rewind: bool,
        known: impl FnOnce(&[u8]) -> Option<K>,
    ) -> Answer<Said<K>> {
        // The one request of this call: see `Subject`.
        let request = Resource::new_borrow(0);
        let (select_peer, added) = match &self.select_peer {
            SelectPeer::Own(select_peer) => {
                let (answer,) = select_peer.call(store, (request,))?;
                return Ok(answer.map(|decision| Said::new(decision, None)));
            }
            SelectPeer::Added(select_peer, added) => (select_peer, added),
        };
        let (place,) = select_peer.call(&mut *store, (request, rewind))?;
        let mut record = Record::new();
        let is_read = store.data().answers().is_some_and(|memory| {
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            added.layout.read(memory, place, &mut record).is_ok()
        });
        if is_read && let Some(known) = known(&record) {
            return Ok(Ok(Said::Known(known)));
        }
        let said = match self.said {
            Some(said) => said,
            None => *self.said.insert(self.instance.get_typed_func(&mut *store, added.said)?),
        };
        let (answer,) = said.call(store, ())?;
        Ok(answer.map(|decision| Said::new(decision, is_read.then_some(&record))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::decide_with;
    use crate::call::tests::{asking, router};
    use crate::module::{Loader, Module};
    use crate::raw::{Decision, Route};

    fn said(module: &Module, path: &str, known: &[u8]) -> Said<()> {
        asking(module, path, |call| decide_with(module, call, |record| (record == known).then_some(())).0.unwrap())
    }

    #[test]
    fn answer_that_is_known_is_not_made_again() {
        let loader = Loader::new(1, 0).unwrap();
        // It connects to its path.
        let load = || router(&loader, 2056, 4096, "", "(i32.const 2048)");
        for module in [load(), load().without_rewinding(), load().with_instance_calls(100)] {
            let Said::Decision { decision, record: Some(known) } = said(&module, "/a", b"") else {
                panic!("nothing is known")
            };
            assert_eq!(*decision, Decision::Connect(Route::to("/a")));
            for _ in 0..3 {
                assert!(matches!(said(&module, "/a", &known), Said::Known(())));
                let Said::Decision { decision, .. } = said(&module, "/b", &known) else { panic!("it is another") };
                assert_eq!(*decision, Decision::Connect(Route::to("/b")));
            }
        }
    }
}
