//! A listener's settings, as its connections use them.

use std::sync::Arc;

use pointsman_rules::config::ListenerConfig;
use pointsman_rules::request::{AnswerForm, Pace};

/// The listener that accepted a connection.
#[derive(Debug)]
pub struct Listener {
    pub name: Arc<str>,
    pub config: ListenerConfig,
    pub answers: AnswerForm,
}

/// Bytes per second at which a client must read once the time that `send_timeout` gives it is used up. Chosen: the
/// default rate for request bodies.
const SENDING_RATE: u64 = 500;

impl Listener {
    pub fn new(config: ListenerConfig, answers: AnswerForm) -> Listener {
        Listener { name: config.name.as_str().into(), config, answers }
    }

    /// The slowest pace at which a request's body may arrive.
    pub fn body_pace(&self) -> Pace {
        Pace::new(self.config.body_timeout, self.config.body_rate)
    }

    /// The slowest pace at which a client may read.
    pub fn sending_pace(&self) -> Pace {
        Pace::new(self.config.send_timeout, SENDING_RATE)
    }
}
