//! Errors of a call: why a module gave no answer.

use pointsman_rules::config::Limits;
use pointsman_rules::exhausted::Exhausted;
use pointsman_rules::limit_key::LimitKey;
use pointsman_rules::text::printable;

use crate::call::decide::NotConfigured;
use crate::call::frames::Frames;
use crate::state::{BudgetSpent, CallsSpent, Limiter, RefusedGrowth};
use crate::wasi::ExitStatus;

/// A decision that failed in the module or at its limits.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum CallError {
    #[error("the module refused to decide: {0}")]
    Declined(String),
    #[error("the decision took more than {budget_ms} ms of CPU time ({}){frames}", LimitKey::DecisionMs)]
    Budget { budget_ms: u128, frames: Frames },
    #[error("the module asked for more than {limit} bytes of memory ({}){frames}", LimitKey::MemoryMib)]
    Memory { limit: usize, frames: Frames },
    #[error("the module asked for a table of more than {limit} elements ({})", LimitKey::TableElements)]
    Table { limit: usize },
    #[error("the module passed more than {limit} bytes to the host in one call ({})", LimitKey::HostCallBytes)]
    HostCall { limit: usize },
    #[error("the module holds more than {limit} resource handles ({})", LimitKey::Handles)]
    Handles { limit: usize },
    #[error("the module called the host more than {limit} times ({}){frames}", LimitKey::HostCalls)]
    HostCalls { limit: usize, frames: Frames },
    #[error("the module exited with {status} instead of answering{frames}")]
    Exit { status: ExitStatus, frames: Frames },
    #[error("the module's recursion used up its stack{0}")]
    StackOverflow(Frames),
    #[error("all instance slots are in use")]
    NoSlot,
    #[error("no instance could be made: {0}")]
    Exhausted(Exhausted),
    #[error("the module trapped: {cause}{frames}")]
    Trap { cause: String, frames: Frames },
}

impl CallError {
    /// A short word for logs and metrics.
    pub fn label(&self) -> &'static str {
        match self {
            CallError::Declined(_) => "declined",
            CallError::Budget { .. } => "budget",
            CallError::Memory { .. } => "memory",
            CallError::Table { .. } => "table",
            CallError::HostCall { .. } => "host-call",
            CallError::Handles { .. } => "handles",
            CallError::HostCalls { .. } => "host-calls",
            CallError::Exit { .. } => "exit",
            CallError::StackOverflow(_) => "stack-overflow",
            CallError::NoSlot => "no-slot",
            CallError::Exhausted(exhausted) => exhausted.label(),
            CallError::Trap { .. } => "trap",
        }
    }

    /// The limit that was reached, if one was.
    pub fn limit_key(&self) -> Option<LimitKey> {
        match self {
            CallError::Budget { .. } => Some(LimitKey::DecisionMs),
            CallError::Memory { .. } => Some(LimitKey::MemoryMib),
            CallError::Table { .. } => Some(LimitKey::TableElements),
            CallError::HostCall { .. } => Some(LimitKey::HostCallBytes),
            CallError::HostCalls { .. } => Some(LimitKey::HostCalls),
            CallError::Handles { .. } => Some(LimitKey::Handles),
            CallError::Declined(_)
            | CallError::Exit { .. }
            | CallError::StackOverflow(_)
            | CallError::NoSlot
            | CallError::Exhausted(_)
            | CallError::Trap { .. } => None,
        }
    }

    /// Derives the cause of a failed decision from Wasmtime's error and from the growth that the limiter refused
    /// before.
    pub(super) fn from_trap(error: &wasmtime::Error, limiter: &Limiter, limits: &Limits) -> CallError {
        if error.is::<BudgetSpent>() {
            return CallError::Budget { budget_ms: limits.decision.as_millis(), frames: Frames::of(error) };
        }
        if let Some(NotConfigured(cause)) = error.downcast_ref() {
            return cause.clone();
        }
        if error.is::<CallsSpent>() {
            return CallError::HostCalls { limit: limits.host_calls, frames: Frames::of(error) };
        }
        if let Some(status) = error.downcast_ref::<ExitStatus>() {
            return CallError::Exit { status: *status, frames: Frames::of(error) };
        }
        if error.is::<wasmtime::PoolConcurrencyLimitError>() {
            return CallError::NoSlot;
        }
        if let Some(exhausted) = Exhausted::of_any(error.chain()) {
            return CallError::Exhausted(exhausted);
        }
        // Once memory or table elements were refused, that is the cause of whatever the module did next.
        match limiter.refused() {
            Some(RefusedGrowth::Memory) => {
                return CallError::Memory { limit: limits.memory_bytes, frames: Frames::of(error) };
            }
            Some(RefusedGrowth::Table) => return CallError::Table { limit: limits.table_elements },
            None => {}
        }
        if let Some(wasmtime::Trap::StackOverflow) = error.downcast_ref() {
            return CallError::StackOverflow(Frames::of(error));
        }
        let message = error.root_cause().to_string();
        // Wasmtime has no types for these two errors; the test suite `hostile` checks their wording.
        if message.contains("store handle limit exceeded") {
            return CallError::Handles { limit: limits.handles };
        }
        if message.contains("fuel allocated for hostcalls has been exhausted") {
            return CallError::HostCall { limit: limits.host_call_bytes };
        }
        let mut cause = printable(&message, LONGEST_CAUSE).0;
        if is_below_memory(error) {
            cause.push_str(" below address 0, where the stack ends: does a recursion never end?");
        }
        CallError::Trap { cause, frames: Frames::of(error) }
    }
}

/// Whether a module reached below its memory. Compilers put the stack of a language there, at the start, and it grows
/// down: whoever uses it up ends there. (The stack that Wasmtime keeps for calls has an error of its own.)
fn is_below_memory(error: &wasmtime::Error) -> bool {
    /// Bytes: more than the variables of one function have.
    const NEAR: u64 = 64 * 1024;
    // As with the errors above, Wasmtime has no type for the address; tests/languages/failing checks the wording.
    let address_of = |text: String| {
        let (hex, _) = text.strip_prefix("memory fault at wasm address 0x")?.split_once(' ')?;
        u64::from_str_radix(hex, 16).ok()
    };
    matches!(error.downcast_ref(), Some(wasmtime::Trap::MemoryOutOfBounds))
        && error.chain().filter_map(|cause| address_of(cause.to_string())).any(|at| at.abs_diff(1 << 32) < NEAR)
}

/// Bytes of Wasmtime's message that are kept.
const LONGEST_CAUSE: usize = 1024;

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot create a memfd")]
    struct MemoryImage(#[source] std::io::Error);

    #[test]
    fn failures_of_the_kernel_are_not_blamed_on_the_module() {
        let limits = Limits::default();
        let of = |error: wasmtime::Error| CallError::from_trap(&error, &Limiter::new(&limits), &limits);
        for (errno, exhausted) in [
            (Errno::NOMEM, Exhausted::Memory),
            (Errno::MFILE, Exhausted::Descriptors),
            (Errno::NFILE, Exhausted::SystemDescriptors),
        ] {
            assert_eq!(of(errno.into()), CallError::Exhausted(exhausted));
            assert_eq!(of(std::io::Error::from(errno).into()), CallError::Exhausted(exhausted));
            // As Wasmtime reports a memory image that it could not create.
            let image = MemoryImage(errno.into());
            assert_eq!(of(wasmtime::Error::from(image).context("an instance")), CallError::Exhausted(exhausted));
        }
        assert!(matches!(of(Errno::PERM.into()), CallError::Trap { .. }));
    }
}
