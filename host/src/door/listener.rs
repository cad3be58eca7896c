//! A listener as its connections see it.

use std::sync::Arc;

use pointsman_rules::config::ListenerConfig;
use pointsman_rules::request::{AnswerForm, Pace};

/// What the door needs to know about the listener that took a connection.
#[derive(Debug)]
pub struct Listener {
    pub name: Arc<str>,
    pub config: ListenerConfig,
    pub answers: AnswerForm,
}

/// A client that reads must take this much a second, beyond the time that `send_timeout` gives it. Chosen: the rate
/// that bodies have by default.
const SENDING_RATE: u64 = 500;

impl Listener {
    pub fn new(config: ListenerConfig, answers: AnswerForm) -> Listener {
        Listener { name: config.name.as_str().into(), config, answers }
    }

    /// How slowly a request's body may come.
    pub fn body_pace(&self) -> Pace {
        Pace::new(self.config.body_timeout, self.config.body_rate)
    }

    /// How slowly a client may read.
    pub fn sending_pace(&self) -> Pace {
        Pace::new(self.config.send_timeout, SENDING_RATE)
    }
}
