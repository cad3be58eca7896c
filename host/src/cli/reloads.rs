//! Reloads beside the loop that waits for signals: they build modules, and whoever wants the process to end does not
//! wait for that.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::server::{Changes, Control};

/// Reads the configuration again when it is asked to, one time after the other.
pub struct Reloads(SyncSender<()>);

impl Reloads {
    pub fn start(control: Arc<Control>) -> std::io::Result<Reloads> {
        // Room for one: one more reload, after the one that is under way, does for all that ask meanwhile.
        let (ask, asked) = sync_channel(1);
        thread::Builder::new().name("reload".to_owned()).spawn(move || asked.iter().for_each(|()| reload(&control)))?;
        Ok(Reloads(ask))
    }

    pub fn ask(&self) {
        // There is no room if one waits already that has not read anything yet.
        let _ = self.0.try_send(());
    }
}

fn reload(control: &Control) {
    if control.is_frozen() {
        tracing::error!(
            "configuration not reloaded: a successor is loading, or this process ends; reload it after that"
        );
        return;
    }
    match control.reload() {
        Ok(Changes { added, changed, removed, unchanged }) => {
            tracing::info!(?added, ?changed, ?removed, unchanged, "configuration reloaded");
        }
        Err(error) => tracing::error!(%error, "configuration not reloaded; the old one stays in force"),
    }
}
