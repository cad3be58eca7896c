//! Candidates decide beside the live version, on a thread of their own: no request waits for them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use crate::answer::Failure;
use crate::ask::{Question, Wanted, ask};
use crate::credentials::Granted;
use crate::door::RequestHead;
use crate::outcome::Outcome;
use crate::raw;
use crate::release::{Candidate, Difference};
use crate::stores::Stores;
use crate::tenant::Tenant;

/// Requests that may wait for the candidates of all tenants.
const QUEUE: usize = 1024;

/// Takes requests to candidates.
#[derive(Debug, Clone)]
pub struct Shadow(SyncSender<ShadowJob>);

/// A request that the live version has decided.
#[derive(Debug)]
pub struct ShadowJob {
    pub tenant: Arc<Tenant>,
    pub candidate: Arc<Candidate>,
    pub credentials: Arc<Granted>,
    pub head: Arc<RequestHead>,
    pub live: Result<Wanted, Failure>,
}

impl Shadow {
    pub fn start() -> std::io::Result<Shadow> {
        let (sender, jobs) = sync_channel(QUEUE);
        std::thread::Builder::new().name("shadow".to_owned()).spawn(move || run(&jobs))?;
        Ok(Shadow(sender))
    }

    /// Never waits: what does not fit into the queue is skipped, and counted.
    pub fn ask(&self, job: ShadowJob) {
        let candidate = job.candidate.clone();
        if self.0.try_send(job).is_err() {
            candidate.skipped();
        }
    }
}

/// Ends when nobody can send any more.
fn run(jobs: &Receiver<ShadowJob>) {
    // What candidates keep in `shared` is theirs, for as long as they are on trial.
    let mut stores: Option<(Arc<Candidate>, Arc<Stores>)> = None;
    while let Ok(job) = jobs.recv() {
        let known = stores.take().filter(|(candidate, _)| Arc::ptr_eq(candidate, &job.candidate));
        let (candidate, own) =
            known.unwrap_or_else(|| (job.candidate.clone(), job.tenant.stores.to_try_out(&job.tenant.config.quota)));
        compare(&job, &own);
        stores = Some((candidate, own));
    }
}

fn compare(job: &ShadowJob, stores: &Arc<Stores>) {
    let ShadowJob { tenant, candidate, credentials, head, live } = job;
    if tenant.usage.cpu.is_over(Instant::now()) {
        candidate.skipped();
        return;
    }
    let attempts: Arc<[raw::Attempt]> = Arc::new([]);
    let modules = &candidate.version.modules;
    let question = Question { tenant, modules, stores, credentials: &credentials.names, head, attempts: &attempts };
    let wanted = ask(question, &mut 0, |_, decided, _| tenant.usage.decided(decided.elapsed, decided.end));
    if is_failure(&wanted) {
        candidate.failed();
    }
    if agree(live, &wanted) {
        candidate.agreed();
    } else {
        candidate.differed(Difference {
            method: head.method().to_owned(),
            authority: head.authority().to_owned(),
            path: head.path().to_owned(),
            live: Outcome::new(live, &tenant.config.failure.answer).json(),
            candidate: Outcome::new(&wanted, &tenant.config.failure.answer).json(),
        });
    }
    tenant.releases.judge(candidate, &tenant.config.release, Instant::now());
}

fn is_failure(wanted: &Result<Wanted, Failure>) -> bool {
    wanted.as_ref().is_err_and(Failure::is_defect)
}

/// Whether a client would notice nothing. Two failures of one kind are the same to it.
fn agree(live: &Result<Wanted, Failure>, candidate: &Result<Wanted, Failure>) -> bool {
    match (live, candidate) {
        (Ok(Wanted::Connect(live)), Ok(Wanted::Connect(candidate))) => live == candidate,
        (Ok(Wanted::Respond(live)), Ok(Wanted::Respond(candidate))) => live == candidate,
        (Err(live), Err(candidate)) => live.answer() == candidate.answer(),
        (Ok(_), _) | (Err(_), Ok(_)) => false,
    }
}
