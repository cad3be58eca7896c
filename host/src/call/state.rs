//! What a store holds while a decision runs: the one request that it is about, and the notes that the host takes.

use std::sync::Arc;

use crate::call::limiter::Limiter;
use crate::call::log::LogLines;
use crate::call::reads::Reads;
use crate::config::Limits;
use crate::door::RequestHead;
use crate::module::ModuleSettings;
use crate::raw;

pub(crate) struct State {
    pub head: Arc<RequestHead>,
    pub attempts: Arc<[raw::Attempt]>,
    pub settings: Arc<ModuleSettings>,
    pub reads: Reads,
    pub lines: LogLines,
    pub limiter: Limiter,
}

impl State {
    pub fn new(
        head: Arc<RequestHead>,
        attempts: Arc<[raw::Attempt]>,
        settings: Arc<ModuleSettings>,
        limits: &Limits,
    ) -> State {
        State {
            head,
            attempts,
            settings,
            reads: Reads::default(),
            lines: LogLines::new(limits.log_bytes),
            limiter: Limiter::new(limits),
        }
    }
}
