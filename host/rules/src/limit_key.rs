//! The keys of all limits and quotas of a tenant: what the configuration, errors and metrics call them.

use std::fmt;

/// Defines the enum, and everything that must know all of its variants.
macro_rules! limit_keys {
    ($($table:ident: $($key:ident = $name:literal),+;)+) => {
        /// A bound of a tenant, by its key in the configuration. Its `Display` has the form `limits.decision_ms`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum LimitKey {
            $($(
                #[doc = concat!("`", $name, "`")]
                $key,
            )+)+
        }

        impl LimitKey {
            pub const ALL: &[LimitKey] = &[$($(LimitKey::$key),+),+];

            /// The key in its table. It is a label of `pointsman_over_budget_total` as well.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(LimitKey::$key => $name,)+)+
                }
            }

            /// The table that has the key.
            pub const fn table(self) -> LimitTable {
                match self {
                    $($(LimitKey::$key => LimitTable::$table,)+)+
                }
            }
        }
    };
}

limit_keys! {
    Limits:
        DecisionMs = "decision_ms",
        ConfigureMs = "configure_ms",
        MemoryMib = "memory_mib",
        Attempts = "attempts",
        TableElements = "table_elements",
        Instances = "instances",
        Handles = "handles",
        HostCallBytes = "host_call_bytes",
        HostCalls = "host_calls",
        LogBytes = "log_bytes",
        ResponseBodyBytes = "response_body_bytes";
    Quota:
        CpuPercent = "cpu_percent",
        ConcurrentDecisions = "concurrent_decisions",
        Connections = "connections",
        LookupsPerS = "lookups_per_s",
        LogBytesPerS = "log_bytes_per_s",
        ConcurrentRequests = "concurrent_requests",
        Peers = "peers",
        SharedBytes = "shared_bytes",
        CacheEntries = "cache_entries",
        CacheBytes = "cache_bytes";
}

/// A table of a tenant's configuration that sets bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitTable {
    /// `[tenant.limits]`: the bounds of one decision or one request.
    Limits,
    /// `[tenant.quota]`: the bounds of all of a tenant's requests together.
    Quota,
}

impl LimitTable {
    /// The name of the table within its tenant.
    pub const fn name(self) -> &'static str {
        match self {
            LimitTable::Limits => "limits",
            LimitTable::Quota => "quota",
        }
    }
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table().name(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_bounds_share_a_label() {
        let names: BTreeSet<&str> = LimitKey::ALL.iter().map(|key| key.name()).collect();
        assert_eq!(names.len(), LimitKey::ALL.len());
    }

    #[test]
    fn documentation_says_what_happens_at_each_bound() {
        let docs = include_str!("../../../docs/limits.md");
        for key in LimitKey::ALL {
            assert!(docs.contains(&format!("`{key}`")), "docs/limits.md: `{key}` is missing");
        }
    }
}
