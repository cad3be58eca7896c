//! Reloads beside the loop that waits for signals: they build modules, and whoever wants the process to end does not
//! wait for that.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::server::Control;

/// Reads the configuration again when it is asked to, one time after the other.
pub struct Reloads(SyncSender<()>);

impl Reloads {
    pub fn start(control: Arc<Control>) -> std::io::Result<Reloads> {
        // Room for one: one more reload, after the one that is under way, does for all that ask meanwhile.
        let (ask, asked) = sync_channel(1);
        thread::Builder::new().name("reload".to_owned()).spawn(move || {
            for () in asked {
                // What comes of it is logged.
                let _ = control.reload();
            }
        })?;
        Ok(Reloads(ask))
    }

    pub fn ask(&self) {
        // There is no room if one waits already that has not read anything yet.
        let _ = self.0.try_send(());
    }
}
