//! Builds an artefact from the bytes of a file: validate, encode, run start functions and `configure`, warm up,
//! compile. The result depends on the arguments alone, so a build can be done once, cached, and done in another
//! process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pointsman_rules::config::TenantLimits;
use pointsman_rules::settings::ModuleSettings;
use wasmtime::component::{Component, Instance, Linker};
use wasmtime::{Engine, Store};

use crate::call::{configure, store_to_configure, take_lines};
use crate::module::artefact::{Artefact, Configure, Facts, Rewinding, Warmth};
use crate::module::encode::component_bytes;
use crate::module::linking::{Builds, export_of, linker_for, wrong_type};
use crate::module::snapshot::{Instrumented, UNKNOWN};
use crate::module::start::started;
use crate::module::warm::warm;
use crate::module::world::{CONFIGURE, needs_host};
use crate::module::{LoadError, Needs, WarmUp, world};
use crate::state::State;

/// The module to build, with its tenant's settings and limits.
pub struct Source<'a> {
    pub bytes: &'a [u8],
    pub settings: &'a Arc<ModuleSettings>,
    pub limits: &'a TenantLimits,
    /// The requests that warm up its instances, if they are to be warm.
    pub warm_up: Option<&'a WarmUp>,
}

/// Builds a module. The engine's epoch must advance, or a `configure` that never ends would never be stopped.
pub fn build(engine: &Engine, linker: &Linker<State>, source: &Source<'_>) -> Result<Artefact, LoadError> {
    let component = component_bytes(source.bytes)?;
    let needs = Needs::of(&component);
    let (class, limits) = (needs.class(), source.limits.of(needs.class()));
    let builds = Builds { engine, linker, settings: source.settings, limits };
    let mut facts = Facts {
        class,
        needs,
        configure: Configure::Absent,
        starts: None,
        warmth: Warmth::NotWanted,
        rewinding: Rewinding::default(),
        log: Vec::new(),
    };
    let component = if exports_configure(source.bytes) {
        let (component, configure, log) = Configuring { builds, needs }.made(component)?;
        (facts.configure, facts.log) = (configure, log);
        component
    } else {
        let (component, starts) = started(builds, component)?;
        facts.starts = starts;
        component
    };
    facts.needs = Needs::of(&component);
    if let Some(warm_up) = source.warm_up {
        let made = match &facts.configure {
            Configure::EachInstance { reason } => Err(reason.clone()),
            Configure::Absent | Configure::Snapshot => {
                let warm = AssertUnwindSafe(|| warm(builds, warm_up, &component, &facts));
                catch_unwind(warm).unwrap_or_else(|_| Err(UNKNOWN.to_owned()))
            }
        };
        match made {
            Ok(artefact) => return Ok(artefact),
            Err(reason) => facts.warmth = Warmth::Cold { reason },
        }
    }
    let artefact = Artefact::compile(engine, &component, facts)?;
    check_world(engine, &artefact)?;
    Ok(artefact)
}

/// Whether a file exports `configure`; the export of a core module has the same name as that of a component. An invalid
/// file exports nothing.
pub fn exports_configure(bytes: &[u8]) -> bool {
    use wasmparser::{Parser, Payload};
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth = depth.saturating_add(1),
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ExportSection(exports)) if depth == 0 => {
                if exports.into_iter().flatten().any(|export| export.name == CONFIGURE) {
                    return true;
                }
            }
            Ok(Payload::ComponentExportSection(exports)) if depth == 0 => {
                if exports.into_iter().flatten().any(|export| export.name.name == CONFIGURE) {
                    return true;
                }
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

/// Checks that a component is a router, by the names of its imports and exports.
fn check_world(engine: &Engine, artefact: &Artefact) -> Result<(), LoadError> {
    let component = artefact.component(engine)?;
    let ty = component.component_type();
    let added = |name: &str| artefact.facts.rewinding.added(name);
    world::check_names(
        ty.imports(engine).filter(|(name, import)| needs_host(&import.ty) && !added(name)).map(|(name, _)| name),
        ty.exports(engine).map(|(name, _)| name).filter(|name| !added(name)),
    )
}

/// A module that exports `configure`.
struct Configuring<'a> {
    builds: Builds<'a>,
    needs: Needs,
}

/// Why there is no snapshot.
enum NoSnapshot {
    /// The module is at fault.
    Refused(LoadError),
    /// No snapshot can be made of a component of this form, or of its state.
    Impossible(String),
}

impl From<LoadError> for NoSnapshot {
    fn from(error: LoadError) -> NoSnapshot {
        NoSnapshot::Refused(error)
    }
}

impl Configuring<'_> {
    /// The component to serve, how `configure` is handled, and the lines that it logged.
    fn made(&self, component: Vec<u8>) -> Result<(Vec<u8>, Configure, Vec<String>), LoadError> {
        let reason = match catch_unwind(AssertUnwindSafe(|| self.snapshot(&component))) {
            Ok(Ok((component, log))) => return Ok((component, Configure::Snapshot, log)),
            Ok(Err(NoSnapshot::Refused(error))) => return Err(error),
            Ok(Err(NoSnapshot::Impossible(reason))) => reason,
            Err(_) => UNKNOWN.to_owned(),
        };
        let log = logged(&mut self.configured(&component)?.0);
        Ok((component, Configure::EachInstance { reason }, log))
    }

    /// Calls `configure` and makes a component of the state that it leaves.
    fn snapshot(&self, component: &[u8]) -> Result<(Vec<u8>, Vec<String>), NoSnapshot> {
        let instrumented = Instrumented::new(component).map_err(NoSnapshot::Impossible)?;
        let (mut store, instance) = self.configured(&instrumented.component)?;
        let log = logged(&mut store);
        Ok((instrumented.snapshot(store, instance).map_err(NoSnapshot::Impossible)?, log))
    }

    /// An instance in which `configure` has been called.
    fn configured(&self, component: &[u8]) -> Result<(Store<State>, Instance), LoadError> {
        let Builds { engine, linker, settings, limits } = self.builds;
        let component =
            Component::new(engine, component).map_err(|error| LoadError::Compile { message: format!("{error:#}") })?;
        let ty = component.component_type();
        let ours = |name: &str| !name.starts_with("wasmtime:wizer");
        world::check_names(
            ty.imports(engine).filter(|(_, import)| needs_host(&import.ty)).map(|(name, _)| name),
            ty.exports(engine).map(|(name, _)| name).filter(|name| ours(name)),
        )?;
        self.needs.check(limits)?;
        let mut store = store_to_configure(engine, settings.clone(), limits);
        let linker = linker_for(linker, &component, &Rewinding::NotTried).map_err(wrong_type)?;
        let pre = linker.instantiate_pre(&component).map_err(wrong_type)?;
        let export = export_of(&component, CONFIGURE)?;
        let instance = pre
            .instantiate(&mut store)
            .map_err(|error| LoadError::Start { message: format!("{:#}", error.root_cause()) })?;
        match configure(&mut store, &instance, &export, limits) {
            Ok(()) => Ok((store, instance)),
            Err(error) => Err(LoadError::of_configure(error, logged(&mut store), limits)),
        }
    }
}

fn logged(store: &mut Store<State>) -> Vec<String> {
    take_lines(store).into_iter().map(|line| line.message).collect()
}
