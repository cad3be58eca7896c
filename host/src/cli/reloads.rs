//! Runs reloads on their own thread: a reload builds modules, and the loop that waits for signals must be able to end
//! the process meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::control::Control;

/// Reloads the configuration on request, one reload at a time.
pub struct Reloads(SyncSender<()>);

impl Reloads {
    pub fn start(control: Arc<Control>) -> std::io::Result<Reloads> {
        // Capacity for one: a single further reload serves all requests that arrive while one is under way.
        let (ask, asked) = sync_channel(1);
        thread::Builder::new().name("reload".to_owned()).spawn(move || {
            for () in asked {
                // The result is logged.
                let _ = control.reload();
            }
        })?;
        Ok(Reloads(ask))
    }

    pub fn ask(&self) {
        // Full: a queued reload has not read anything yet, and serves this request too.
        let _ = self.0.try_send(());
    }
}
