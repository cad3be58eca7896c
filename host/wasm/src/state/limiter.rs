//! Limits memory, tables and instances of one decision.

use pointsman_rules::config::Limits;
use wasmtime::ResourceLimiter;

/// Grants growth up to the tenant's limits and remembers a refusal, so that the trap which usually follows can be told
/// from others.
#[derive(Debug)]
pub struct Limiter {
    memory_bytes: usize,
    table_elements: usize,
    instances: usize,
    /// Bytes granted so far, for all memories together. Memories never shrink, so this is also the peak.
    granted: usize,
    refused: Option<RefusedGrowth>,
}

/// Growth that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedGrowth {
    Memory,
    Table,
}

impl Limiter {
    pub fn new(limits: &Limits) -> Limiter {
        Limiter {
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            instances: limits.instances,
            granted: 0,
            refused: None,
        }
    }

    /// Continues from the memory that was granted before.
    pub fn inherit(&mut self, before: &Limiter) {
        self.granted = before.granted;
    }

    /// Linear memory of the decision, in bytes.
    pub fn memory_granted(&self) -> usize {
        self.granted
    }

    pub fn refused(&self) -> Option<RefusedGrowth> {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.granted.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_bytes {
            self.refused = Some(RefusedGrowth::Memory);
            return Ok(false);
        }
        self.granted = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.table_elements {
            self.refused = Some(RefusedGrowth::Table);
            return Ok(false);
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        // Plus the core instance that instrumentation adds for rewinding.
        self.instances.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_counted_together() {
        let mut limiter = Limiter::new(&Limits { memory_bytes: 100, ..Limits::default() });
        assert!(limiter.memory_growing(0, 60, None).is_ok_and(|granted| granted));
        assert!(limiter.memory_growing(0, 60, None).is_ok_and(|granted| !granted));
        assert_eq!(limiter.memory_granted(), 60);
        assert_eq!(limiter.refused(), Some(RefusedGrowth::Memory));
    }
}
