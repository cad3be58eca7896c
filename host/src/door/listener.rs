//! A listener as its connections see it.

use std::time::Duration;

use crate::config::{ForwardedConfig, ListenerConfig};

/// What the door needs to know about the listener that took a connection.
#[derive(Debug)]
pub struct Listener {
    pub name: std::sync::Arc<str>,
    pub max_head_bytes: usize,
    pub head_timeout: Duration,
    pub keepalive_timeout: Duration,
    pub h2c: bool,
    pub forwarded: ForwardedConfig,
}

impl Listener {
    pub fn new(config: &ListenerConfig) -> Listener {
        Listener {
            name: config.name.as_str().into(),
            max_head_bytes: config.max_head_bytes,
            head_timeout: config.head_timeout,
            keepalive_timeout: config.keepalive_timeout,
            h2c: config.h2c,
            forwarded: config.forwarded.clone(),
        }
    }

    /// Pingora counts whole seconds; zero would mean for ever.
    pub fn keepalive_seconds(&self) -> u64 {
        self.keepalive_timeout.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
    }
}
