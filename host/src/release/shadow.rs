//! Runs candidates in shadow of the live version, on a thread of their own, so that no request waits for them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use pointsman_rules::inputs::Inputs;
use pointsman_rules::quota::CountGuard;

use crate::answer::Failure;
use crate::api::Difference;
use crate::evaluate::{Action, Question, evaluate};
use crate::outcome::Outcome;
use crate::tenant::{PolicySnapshot, Tenant};
use crate::versions::{Candidate, TrialOutcome};

/// Limit on requests queued for the candidates of all tenants.
const QUEUE: usize = 1024;

/// Nice value, of 0 to 19: a trial gets a tenth of a core that live traffic wants.
const NICE: i32 = 10;

/// Sends requests to candidates.
#[derive(Debug, Clone)]
pub struct Shadow(SyncSender<(ShadowJob, CountGuard)>);

/// A request that the live version has decided.
#[derive(Debug)]
pub struct ShadowJob {
    pub tenant: Arc<Tenant>,
    pub candidate: Arc<Candidate>,
    pub terms: Arc<PolicySnapshot>,
    pub inputs: Inputs,
    pub live: Result<Action, Failure>,
}

impl Shadow {
    pub fn start() -> std::io::Result<Shadow> {
        let (sender, jobs) = sync_channel(QUEUE);
        std::thread::Builder::new().name("shadow".to_owned()).spawn(move || run(&jobs))?;
        Ok(Shadow(sender))
    }

    /// Never blocks: a request that does not fit into the queue is skipped and counted. A slow candidate fills only its
    /// own share of the queue.
    pub fn ask(&self, job: ShadowJob) {
        let candidate = job.candidate.clone();
        let sent = candidate.may_wait().is_some_and(|counted| self.0.try_send((job, counted)).is_ok());
        if !sent {
            candidate.count(TrialOutcome::Skipped);
        }
    }
}

/// Ends when all senders are gone.
fn run(jobs: &Receiver<(ShadowJob, CountGuard)>) {
    // On Linux this lowers the priority of this thread only. If that is not permitted, it keeps its priority.
    let _ = rustix::process::nice(NICE);
    while let Ok((job, _counted)) = jobs.recv() {
        job.candidate.count(compare(&job));
        job.tenant.releases.judge(&job.candidate, &job.tenant.config.release, Instant::now());
    }
}

fn compare(job: &ShadowJob) -> TrialOutcome {
    let ShadowJob { tenant, candidate, terms, inputs, live } = job;
    let now = Instant::now();
    if tenant.usage.trials.is_over(now) || tenant.usage.cpu.is_over(now) {
        return TrialOutcome::Skipped;
    }
    let (modules, stores) = (&candidate.version.modules, candidate.stores(&tenant.stores, &tenant.config.quota));
    let question = Question { tenant, modules, stores, terms, cache: None };
    // Not charged to the tenant's own account: a slow candidate must not cost it live requests.
    let (action, calls) = evaluate(question, inputs);
    calls.iter().for_each(|call| tenant.usage.tried(call.report.elapsed, call.report.end));
    if action.as_ref().is_err_and(Failure::is_defect) {
        return TrialOutcome::Failed;
    }
    if agree(live, &action) {
        return TrialOutcome::Agreed;
    }
    TrialOutcome::Differed(Difference {
        method: inputs.head.method().to_owned(),
        authority: inputs.head.authority().to_owned(),
        path: inputs.head.path().to_owned(),
        live: Outcome::new(live, &tenant.config.failure.answer).json(),
        candidate: Outcome::new(&action, &tenant.config.failure.answer).json(),
    })
}

/// Whether a client would notice no difference. Two failures of the same kind are equal to a client.
fn agree(live: &Result<Action, Failure>, candidate: &Result<Action, Failure>) -> bool {
    match (live, candidate) {
        (Ok(Action::Connect(live)), Ok(Action::Connect(candidate))) => live == candidate,
        (Ok(Action::Respond(live)), Ok(Action::Respond(candidate))) => live == candidate,
        (Err(live), Err(candidate)) => live.answer() == candidate.answer(),
        (Ok(_), _) | (Err(_), Ok(_)) => false,
    }
}
