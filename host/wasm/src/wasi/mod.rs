//! WASI 0.2 as an empty world, for modules whose toolchain imports it: no files, sockets, environment or arguments.
//! Standard output and error go to the tenant's log; clocks and randomness are the host's recorded ones. Any other call
//! is denied with a value of the function's type.
//!
//! Nothing here waits, opens or keeps anything. Every interface of a known package is defined from the component's own
//! types: a handful of functions are real, the rest return a denial. So a module may name any 0.2.x.

mod clocks;
mod deny;
mod exit;
mod interfaces;
mod poll;
mod random;
mod resources;
mod sockets;
mod streams;

pub use exit::ExitStatus;
pub use interfaces::{OFFERED, core_remedy, interface, remedy};

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance};

use crate::state::State;

/// WASI has about 200 functions; a file that names more than this is no toolchain's.
const MOST_FUNCTIONS: usize = 1_000;

/// Defines the functions and resources of WASI that a component imports.
pub fn add_to_linker(linker: &mut Linker<State>, component: &Component) -> wasmtime::Result<()> {
    let (engine, ty) = (linker.engine().clone(), component.component_type());
    let (mut resources, mut functions) = (resources::Resources::default(), 0_usize);
    for (name, import) in ty.imports(&engine) {
        let (Some(interface), ComponentItem::ComponentInstance(instance)) = (interface(name), import.ty) else {
            continue;
        };
        let mut linked = linker.instance(name)?;
        for (export, item) in instance.exports(&engine) {
            match item.ty {
                ComponentItem::Resource(ty) => resources.define(&mut linked, export, ty)?,
                ComponentItem::ComponentFunc(ty) => {
                    functions = functions.saturating_add(1);
                    if functions > MOST_FUNCTIONS {
                        return Err(wasmtime::Error::msg(format!("more than {MOST_FUNCTIONS} functions of WASI")));
                    }
                    if !add_real(&mut linked, interface, export)? {
                        deny::add(&mut linked, &format!("{name}#{export}"), export, &ty)?;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Defines a function that does something; false if this one does nothing.
fn add_real(linked: &mut LinkerInstance<'_, State>, interface: &str, function: &str) -> wasmtime::Result<bool> {
    match interface {
        "io/streams" => streams::add(linked, function),
        "cli/stdin" | "cli/stdout" | "cli/stderr" => streams::add_getter(linked, function),
        "io/poll" => poll::add(linked, function),
        "clocks/monotonic-clock" => clocks::add_monotonic(linked, function),
        "clocks/wall-clock" => clocks::add_wall(linked, function),
        "random/random" | "random/insecure" | "random/insecure-seed" => random::add(linked, function),
        "cli/exit" => exit::add(linked, function),
        "sockets/instance-network" => sockets::add(linked, function),
        _ => Ok(false),
    }
}
