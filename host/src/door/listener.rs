//! A listener as its connections see it.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{ForwardedConfig, Http2Config, ListenerConfig};
use crate::door::pace::Pace;
use crate::door::refusal::AnswerForm;

/// What the door needs to know about the listener that took a connection.
#[derive(Debug)]
pub struct Listener {
    pub name: Arc<str>,
    pub max_head_bytes: usize,
    pub first_byte_timeout: Duration,
    pub head_timeout: Duration,
    pub keepalive_timeout: Duration,
    pub body_timeout: Duration,
    /// Bytes a second; 0: bodies may come as slowly as they like.
    pub body_rate: u64,
    pub send_timeout: Duration,
    pub max_requests: u64,
    pub max_age: Duration,
    pub linger: Duration,
    pub h2c: bool,
    pub http2: Http2Config,
    pub forwarded: ForwardedConfig,
    pub answers: AnswerForm,
}

/// A client that reads must take this much a second, beyond the time that `send_timeout` gives it. Chosen: the rate that
/// bodies have by default.
const SENDING_RATE: u64 = 500;

impl Listener {
    pub fn new(config: &ListenerConfig, answers: AnswerForm) -> Listener {
        Listener {
            name: config.name.as_str().into(),
            max_head_bytes: config.max_head_bytes,
            first_byte_timeout: config.first_byte_timeout,
            head_timeout: config.head_timeout,
            keepalive_timeout: config.keepalive_timeout,
            body_timeout: config.body_timeout,
            body_rate: config.body_rate,
            send_timeout: config.send_timeout,
            max_requests: config.max_requests,
            max_age: config.max_age,
            linger: config.linger,
            h2c: config.h2c,
            http2: config.http2.clone(),
            forwarded: config.forwarded.clone(),
            answers,
        }
    }

    /// How slowly a request's body may come.
    pub fn body_pace(&self) -> Pace {
        Pace::new(self.body_timeout, self.body_rate)
    }

    /// How slowly a client may read.
    pub fn sending_pace(&self) -> Pace {
        Pace::new(self.send_timeout, SENDING_RATE)
    }
}
