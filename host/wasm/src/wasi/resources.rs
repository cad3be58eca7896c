//! The resources of WASI. Few are ever handed out, and none has any data: a handle is only its number, so there is no
//! table to fill.

use wasmtime::component::types::ResourceType;
use wasmtime::component::{self, LinkerInstance, Resource};

use crate::state::State;

pub struct InputStream;
pub struct OutputStream;
pub struct Pollable;
pub struct IoError;
pub struct Network;

/// The resources that a component's imports have named so far.
#[derive(Default)]
pub struct Resources {
    known: Vec<ResourceType>,
    others: Vec<String>,
}

impl Resources {
    /// Defines a resource the first time it is named; elsewhere it is the same one.
    pub fn define(
        &mut self,
        linked: &mut LinkerInstance<'_, State>,
        name: &str,
        ty: ResourceType,
    ) -> wasmtime::Result<()> {
        if self.known.contains(&ty) {
            return Ok(());
        }
        self.known.push(ty);
        let host = match name {
            "input-stream" => component::ResourceType::host::<InputStream>(),
            "output-stream" => component::ResourceType::host::<OutputStream>(),
            "pollable" => component::ResourceType::host::<Pollable>(),
            "error" => component::ResourceType::host::<IoError>(),
            "network" => component::ResourceType::host::<Network>(),
            // Never handed out; a number of its own keeps it from being taken for another.
            _ => component::ResourceType::host_dynamic(self.number(name)),
        };
        linked.resource(name, host, |mut store, _| {
            store.data_mut().wasi_handles = store.data().wasi_handles.saturating_sub(1);
            Ok(())
        })
    }

    fn number(&mut self, name: &str) -> u32 {
        let at = self.others.iter().position(|other| other == name).unwrap_or_else(|| {
            self.others.push(name.to_owned());
            self.others.len().saturating_sub(1)
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

impl State {
    /// A handle for the module, counted until the module drops it: a snapshot can't hold one. How many there may be at
    /// the same time is `limits.handles`.
    pub(super) fn hand_out<T: 'static>(&mut self, number: u32) -> wasmtime::Result<(Resource<T>,)> {
        self.count_call()?;
        self.wasi_handles = self.wasi_handles.saturating_add(1);
        self.had_handles = true;
        Ok((Resource::new_own(number),))
    }
}
