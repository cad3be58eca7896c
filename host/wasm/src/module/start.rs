//! Makes a snapshot of a module without `configure` after its start functions ran, so that its instances can be
//! rewound: C and C++ initialize their libraries in one, AssemblyScript its globals. `docs/design/rewinding.md` says
//! when that is sound.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pointsman_rewind::{NotRewindable, instrument};
use pointsman_rules::config::Limits;
use pointsman_rules::reads::Read;
use wasmtime::component::Component;

use crate::call::{CallError, NotKept, start};
use crate::module::artefact::Rewinding;
use crate::module::linking::{Builds, linker_for};
use crate::module::snapshot::{Instrumented, UNKNOWN};
use crate::module::{LoadError, Needs, world};
use crate::wasi;

/// Why there is no snapshot.
enum NoSnapshot {
    /// The build lacks something: another one may well succeed.
    Refused(LoadError),
    /// The start functions run in each instance.
    Impossible(String),
}

impl From<String> for NoSnapshot {
    fn from(reason: String) -> NoSnapshot {
        NoSnapshot::Impossible(reason)
    }
}

/// The component to serve, and why its start functions run in each instance, if they do. A component that has none, or
/// whose instances could not be rewound anyway, is left as it is.
pub fn started(builds: Builds<'_>, component: Vec<u8>) -> Result<(Vec<u8>, Option<String>), LoadError> {
    if instrument(&component) != Err(NotRewindable::Starts) {
        return Ok((component, None));
    }
    let needs = Needs::of(&component);
    // Tenants with other limits share what is built here, so the limits are nobody's.
    let limits = Limits::of(needs.class());
    let snapshot = AssertUnwindSafe(|| snapshot(Builds { limits: &limits, ..builds }, needs, &component));
    match catch_unwind(snapshot) {
        Ok(Ok(component)) => Ok((component, None)),
        Ok(Err(NoSnapshot::Refused(error))) => Err(error),
        Ok(Err(NoSnapshot::Impossible(reason))) => Ok((component, Some(reason))),
        Err(_) => Ok((component, Some(UNKNOWN.to_owned()))),
    }
}

fn snapshot(builds: Builds<'_>, needs: Needs, component: &[u8]) -> Result<Vec<u8>, NoSnapshot> {
    let Builds { engine, linker, settings, limits } = builds;
    let instrumented = Instrumented::new(component)?;
    // What is wrong with the component itself is reported when it is compiled to be served.
    let impossible = |error: wasmtime::Error| format!("{error:#}");
    let component = Component::new(engine, &instrumented.component).map_err(impossible)?;
    needs.check(limits).map_err(|error| error.to_string())?;
    let linker = linker_for(linker, &component, &Rewinding::NotTried).map_err(impossible)?;
    let pre = linker.instantiate_pre(&component).map_err(impossible)?;
    let (store, instance) = start(&pre, settings.clone(), limits).map_err(|not| match not {
        NotKept::Fails(error @ (CallError::NoSlot | CallError::Exhausted(_))) => {
            NoSnapshot::Refused(LoadError::Start { message: error.to_string() })
        }
        NotKept::Reads(reads) => format!("a start function reads {}", sources(&reads, &component)).into(),
        not => format!("a start function {not}").into(),
    })?;
    Ok(instrumented.snapshot(store, instance)?)
}

/// The imports that may have made these reads.
fn sources(reads: &[Read], component: &Component) -> String {
    let (ty, engine) = (component.component_type(), component.engine());
    let imports: Vec<&str> = ty.imports(engine).map(|(name, _)| name).collect();
    let mut sources = Vec::new();
    for read in reads {
        let of_wasi =
            |package: &str, import: &str| wasi::interface(import).is_some_and(|name| name.starts_with(package));
        let may_make = |import: &str| match read {
            Read::RandomSeed(_) => of_wasi("random/", import),
            Read::Now(_) if of_wasi("clocks/", import) => true,
            read => world::is_interface(import, read.source().name()),
        };
        let imports = imports.iter().filter(|import| may_make(import)).map(|import| format!("`{import}`"));
        let source = imports.collect::<Vec<_>>().join(" or ");
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    match sources.is_empty() {
        true => "more than can be noted".to_owned(),
        false => sources.join(" and "),
    }
}
