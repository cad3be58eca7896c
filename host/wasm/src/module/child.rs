//! Builds a module in a child process: whatever the module makes the compiler do is bounded in time and memory, and at
//! worst ends that process.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;

use pointsman_native::artefacts;
use pointsman_rules::config::TenantLimits;
use pointsman_rules::settings::ModuleSettings;
use pointsman_rules::text::printable_lines;
use rustix::process::{Resource, Rlimit, Signal, getppid, nice, set_parent_process_death_signal, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use crate::call::Ticker;
use crate::engine::{Compile, engine_to_build};
use crate::module::artefact::{Artefact, Facts, Warmth};
use crate::module::build::{Source, build};
use crate::module::linking::linker;
use crate::module::{LoadError, LoadStep, WarmUp};

/// CPU time that a build may use. A CPython module of 18 MB takes 7 to 36 s.
const CPU_SECONDS: u64 = 120;

/// Memory that a build may write to, in bytes. A module of 18 MB takes about 1 GiB.
const MEMORY_BYTES: u64 = 3 * 1024 * 1024 * 1024;

/// A module of this size compiles for long enough that traffic would feel it.
const LARGE: usize = 1024 * 1024;

/// Nice value of a large build, of 20 steps: it gets a tenth of a core that other work wants.
const NICE: i32 = 10;

/// Exit statuses by which the child reports the step at which it refused the module.
const REFUSED_AT: [(i32, LoadStep); 4] =
    [(3, LoadStep::Build), (4, LoadStep::Configure), (5, LoadStep::Limits), (6, LoadStep::Read)];

/// The order that the child reads before the module's bytes.
#[derive(Serialize, Deserialize)]
struct Order {
    settings: serde_json::Value,
    limits: TenantLimits,
    warm_up: Option<WarmUp>,
    /// The id of the process that wants the build.
    wanted_by: u32,
}

/// Builds a module in a child process.
pub fn build_in_child(source: &Source<'_>) -> Result<Artefact, LoadError> {
    warm_or_cold(source, build_in_one_child)
}

/// Builds warm, if that is wanted, which compiles a module up to four times; if that runs out of time or memory or the
/// builder fails, builds cold. Warming up must never be the reason why a module is refused.
fn warm_or_cold(
    source: &Source<'_>,
    build: impl Fn(&Source<'_>) -> Result<Artefact, LoadError>,
) -> Result<Artefact, LoadError> {
    let error = match build(source) {
        Err(error) if source.warm_up.is_some() => error,
        done => return done,
    };
    match error {
        LoadError::BuildTime { .. } | LoadError::BuildDied { .. } | LoadError::Builder { .. } => {
            let mut artefact = build(&Source { warm_up: None, ..*source })?;
            artefact.facts.warmth = Warmth::Cold { reason: error.to_string() };
            Ok(artefact)
        }
        error => Err(error),
    }
}

fn build_in_one_child(source: &Source<'_>) -> Result<Artefact, LoadError> {
    let builder = |message: String| LoadError::Builder { message };
    let order = Order {
        settings: source.settings.whole().clone(),
        limits: source.limits.clone(),
        warm_up: source.warm_up.cloned(),
        wanted_by: std::process::id(),
    };
    let order = serde_json::to_vec(&order).map_err(|error| builder(error.to_string()))?;
    let length = u64::try_from(order.len()).unwrap_or(u64::MAX).to_le_bytes();
    let output =
        artefacts::build_in_child(&[&length, &order, source.bytes]).map_err(|error| builder(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let refused_at = REFUSED_AT.iter().find(|(code, _)| output.status.code() == Some(*code));
    match (output.status.code(), refused_at) {
        (Some(0), _) => output
            .built()
            .and_then(|(code, facts)| Some(Artefact { facts: Facts::from_bytes(&facts)?, code }))
            .ok_or_else(|| builder("the build's result is not complete".to_owned())),
        (_, Some((_, step))) => Err(LoadError::Reported { step: *step, message: said.trim_end().to_owned() }),
        (Some(code), None) => Err(builder(format!("it ended with status {code}: {}", last_line(&said)))),
        (None, None) => {
            let signal = output.status.signal().unwrap_or_default();
            Err(match signal == Signal::XCPU.as_raw() {
                true => LoadError::BuildTime { seconds: CPU_SECONDS },
                false => LoadError::BuildDied { signal, memory_mib: MEMORY_BYTES / 1024 / 1024 },
            })
        }
    }
}

fn last_line(text: &str) -> &str {
    text.trim_end().lines().next_back().unwrap_or_default()
}

/// The child's side: reads an order from standard input, writes an artefact to standard output. Returns the exit
/// status.
pub fn serve_build() -> anyhow::Result<i32> {
    leave_orders_to_the_proxy()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let limit = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    // At the limit the kernel sends a signal of its own (SIGXCPU), and kills a second later: so running out of time
    // differs from being killed for lack of memory.
    setrlimit(Resource::Cpu, Rlimit { current: Some(CPU_SECONDS), maximum: Some(CPU_SECONDS + 1) })?;
    limit(Resource::Data, MEMORY_BYTES)?;
    limit(Resource::Core, 0)?;

    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input)?;
    let incomplete = || anyhow::anyhow!("the order is not complete");
    let (length, rest) = input.split_first_chunk().ok_or_else(incomplete)?;
    let (order, bytes) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length))?).ok_or_else(incomplete)?;
    let is_large = bytes.len() >= LARGE;
    if is_large {
        nice(NICE)?;
    }
    let order: Order = serde_json::from_slice(order)?;
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().cast_unsigned());
    if parent != Some(order.wanted_by) {
        // The parent ended before this process could ask to be killed with it.
        anyhow::bail!("the build was cancelled");
    }
    let engine = engine_to_build(if is_large { Compile::OnOneCore } else { Compile::OnAllCores })?;
    let ticker = Ticker::start(&engine)?;
    let _running = ticker.pulse().enter();
    let linker = linker(&engine).map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let settings = Arc::new(ModuleSettings::new(order.settings));
    let source = Source { bytes, settings: &settings, limits: &order.limits, warm_up: order.warm_up.as_ref() };
    match build(&engine, &linker, &source) {
        Ok(artefact) => {
            artefacts::report_built(&artefact.code, &artefact.facts.to_bytes())?;
            Ok(0)
        }
        Err(error) => {
            eprintln!("{}", printable_lines(&error.to_string()));
            let code = REFUSED_AT.iter().find(|(_, step)| *step == error.step()).map(|(code, _)| *code);
            code.ok_or_else(|| error.into())
        }
    }
}

/// Handles signals that somebody sends to all processes of the service as orders to the proxy: unhandled, they would
/// end the build, and the module would be refused.
fn leave_orders_to_the_proxy() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    for kind in [SignalKind::hangup(), SignalKind::user_defined1(), SignalKind::user_defined2()] {
        // The signal stays handled when this is dropped.
        drop(signal(kind)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use pointsman_rules::config::Class;

    use super::*;
    use crate::module::artefact::{Configure, Rewinding};
    use crate::module::{Moment, Needs, WarmUp};

    #[test]
    fn module_that_cannot_be_built_warm_is_built_cold() {
        let (settings, limits) = (Arc::new(ModuleSettings::new(serde_json::json!({}))), TenantLimits::default());
        let warm_up = WarmUp { requests: Vec::new(), moment: Moment::MustNot };
        let source = Source { bytes: b"", settings: &settings, limits: &limits, warm_up: Some(&warm_up) };
        let facts = Facts {
            class: Class::Small,
            needs: Needs::default(),
            configure: Configure::Absent,
            starts: None,
            warmth: Warmth::NotWanted,
            rewinding: Rewinding::Possible,
            log: Vec::new(),
        };
        let engine = engine_to_build(Compile::OnOneCore).expect("an engine");
        let code = artefacts::CompiledCode::compile(&engine, &wat::parse_str("(component)").expect("a component"))
            .expect("compiled");
        let built = || Artefact { facts: facts.clone(), code: code.clone() };

        let died = |source: &Source<'_>| match source.warm_up {
            Some(_) => Err(LoadError::BuildTime { seconds: 120 }),
            None => Ok(built()),
        };
        let artefact = warm_or_cold(&source, died).expect("the cold one");
        assert!(matches!(artefact.facts.warmth, Warmth::Cold { reason } if reason.contains("120 s of CPU time")));
        let refused = warm_or_cold(&source, |_| Err(LoadError::NotWasm));
        assert!(matches!(refused, Err(LoadError::NotWasm)), "it is the module's own fault");
        let cold = Source { warm_up: None, ..source };
        assert!(warm_or_cold(&cold, |_| Err(LoadError::BuildTime { seconds: 120 })).is_err());
    }
}
