//! Candidates decide beside the live version, on a thread of their own: no request waits for them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use pointsman_rules::contract;
use pointsman_rules::quota::Counted;
use pointsman_rules::request::RequestHead;

use crate::answer::Failure;
use crate::ask::{Question, Wanted, ask};
use crate::outcome::Outcome;
use crate::release::{Candidate, Difference, Judged};
use crate::tenant::{Tenant, Terms};

/// Requests that may wait for the candidates of all tenants.
const QUEUE: usize = 1024;

/// Of a scheduler's 20 steps: trials get a tenth of a core that traffic wants.
const NICE: i32 = 10;

/// Takes requests to candidates.
#[derive(Debug, Clone)]
pub struct Shadow(SyncSender<(ShadowJob, Counted)>);

/// A request that the live version has decided.
#[derive(Debug)]
pub struct ShadowJob {
    pub tenant: Arc<Tenant>,
    pub candidate: Arc<Candidate>,
    pub terms: Arc<Terms>,
    pub head: Arc<RequestHead>,
    pub live: Result<Wanted, Failure>,
}

impl Shadow {
    pub fn start() -> std::io::Result<Shadow> {
        let (sender, jobs) = sync_channel(QUEUE);
        std::thread::Builder::new().name("shadow".to_owned()).spawn(move || run(&jobs))?;
        Ok(Shadow(sender))
    }

    /// Never waits: what does not fit into the queue is skipped, and counted. A candidate that is slow fills its own
    /// part of the queue, and no other tenant's.
    pub fn ask(&self, job: ShadowJob) {
        let candidate = job.candidate.clone();
        let sent = candidate.may_wait().is_some_and(|counted| self.0.try_send((job, counted)).is_ok());
        if !sent {
            candidate.count(Judged::Skipped);
        }
    }
}

/// Ends when nobody can send any more.
fn run(jobs: &Receiver<(ShadowJob, Counted)>) {
    // On Linux it is this thread alone that gives way. If it may not, it competes.
    let _ = rustix::process::nice(NICE);
    while let Ok((job, _counted)) = jobs.recv() {
        job.candidate.count(compare(&job));
        job.tenant.releases.judge(&job.candidate, &job.tenant.config.release, Instant::now());
    }
}

fn compare(job: &ShadowJob) -> Judged {
    let ShadowJob { tenant, candidate, terms, head, live } = job;
    let now = Instant::now();
    if tenant.usage.trials.is_over(now) || tenant.usage.cpu.is_over(now) {
        return Judged::Skipped;
    }
    let attempts: Arc<[contract::Attempt]> = Arc::new([]);
    let (modules, stores) = (&candidate.version.modules, candidate.stores(tenant));
    let question = Question { tenant, modules, stores, terms, head, attempts: &attempts, recall: None };
    // Not the tenant's own account: a candidate that is slow must not cost it live requests.
    let wanted = ask(question, &mut 0, |_, decided, _| tenant.usage.tried(decided.elapsed, decided.end));
    if wanted.as_ref().is_err_and(Failure::is_defect) {
        return Judged::Failed;
    }
    if agree(live, &wanted) {
        return Judged::Agreed;
    }
    Judged::Differed(Difference {
        method: head.method().to_owned(),
        authority: head.authority().to_owned(),
        path: head.path().to_owned(),
        live: Outcome::new(live, &tenant.config.failure.answer).json(),
        candidate: Outcome::new(&wanted, &tenant.config.failure.answer).json(),
    })
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
