//! Reads `[proxy]`.

use std::path::Path;

use crate::config::section::{DAY_MS, Section, Unit};
use crate::config::{AdminConfig, ListenerConfig, ProxyConfig};

/// `listeners` and `admin` are handed over to the new process in an upgrade.
pub fn read(section: Option<Section<'_>>, listeners: &[ListenerConfig], admin: Option<&AdminConfig>) -> ProxyConfig {
    let defaults = ProxyConfig::default();
    let Some(mut section) = section else { return defaults };
    let config = ProxyConfig {
        // Each thread costs address space for module instances; no current machine has more cores.
        threads: section.number("threads", 1..=1024, Unit::Things).unwrap_or(defaults.threads),
        // The upper end is far more connections than a process has file descriptors.
        idle_connections: section
            .number("idle_connections", 1..=1_000_000, Unit::Things)
            .unwrap_or(defaults.idle_connections),
        ca_file: section.path("ca_file"),
        error_header: section.boolean("error_header").unwrap_or(defaults.error_header),
        shutdown_timeout: section.milliseconds("shutdown_timeout_ms", 0..=DAY_MS).unwrap_or(defaults.shutdown_timeout),
        watch: section.boolean("watch").unwrap_or(defaults.watch),
        cache_dir: section.path("cache_dir"),
        cache_bytes: section
            .number("cache_mib", 1..=1_048_576_u64, Unit::Mebibytes)
            .map_or(defaults.cache_bytes, |mebibytes| mebibytes.saturating_mul(1024 * 1024)),
        state_dir: section.path("state_dir"),
        upgrade_socket: section.path("upgrade_socket"),
        max_connections: section.number("max_connections", 1..=1_000_000, Unit::Things),
        memory: section
            .number("memory_mib", 64..=16_777_216_u64, Unit::Mebibytes)
            .map(|mebibytes| mebibytes.saturating_mul(1024 * 1024)),
    };
    if let Some(socket) = &config.upgrade_socket {
        let problems = [too_long(socket), too_many(listeners, admin)];
        problems.into_iter().flatten().for_each(|problem| section.problem("upgrade_socket", problem));
    }
    section.finish();
    config
}

fn too_long(socket: &Path) -> Option<String> {
    const MOST: usize = ProxyConfig::UPGRADE_SOCKET_BYTES;
    let bytes = socket.as_os_str().len();
    (bytes > MOST)
        .then(|| format!("must be at most {MOST} bytes with its folder, as for every Unix socket, found {bytes}"))
}

fn too_many(listeners: &[ListenerConfig], admin: Option<&AdminConfig>) -> Option<String> {
    const MOST: usize = ProxyConfig::HANDED_OVER;
    const BYTES: usize = ProxyConfig::HANDED_OVER_NAME_BYTES;
    let admin = admin.and_then(|admin| admin.address).map(|_| AdminConfig::LISTENER);
    let names: Vec<&str> = listeners.iter().map(|listener| listener.name.as_str()).chain(admin).collect();
    let (count, bytes) = (names.len(), names.join(" ").len());
    if count > MOST {
        let message = format!("cannot hand over more than {MOST} listeners, `admin.address` included, found {count}");
        return Some(format!("{message}: remove it, or configure fewer listeners"));
    }
    (bytes > BYTES).then(|| {
        format!(
            "cannot hand over listeners whose names have more than {BYTES} bytes together, found {bytes}: shorten them"
        )
    })
}
