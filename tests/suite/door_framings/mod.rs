//! No response reaches another client and no request contains another one's bytes, whichever way the two end.
//!
//! Random exchanges run concurrently, to an upstream that parses strictly (RFC 9112) and whose connections the
//! proxy reuses. Each has a number, and each byte of its bodies follows from that number.

mod client;
mod message;
mod plan;
mod upstream;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pointsman_tests::{Proxy, Tenant, example};
use proptest::test_runner::{Config, TestRunner};

use self::plan::{Conversation, Plans, conversations};

/// Much longer than a case needs on a busy machine.
const LONGEST: Duration = Duration::from_secs(60);
const CASES: u32 = 200;

/// The errors found.
#[derive(Default, Clone)]
pub struct Faults(Arc<Mutex<Vec<String>>>);

impl Faults {
    pub fn add(&self, what: String) {
        self.0.lock().expect("faults").push(what);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("faults"))
    }
}

#[test]
fn every_exchange_gets_exactly_its_own_response() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (plans, faults) = (Plans::default(), Faults::default());
    let (proxy, upstream) = runtime.block_on(async {
        let upstream = upstream::start(plans.clone(), faults.clone()).await;
        let module = format!("upstreams = [\"{}\"]", upstream.address());
        let tenant = Tenant::new("shop").hostnames(&["*"]).module(example("failover"), &module);
        (Proxy::with(tenant).start().await, upstream)
    });
    let address = proxy.address();
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let run = |case: Vec<Conversation>| {
        runtime.block_on(async {
            let all = case.into_iter().map(|one| client::converse(address, plans.clone(), faults.clone(), one));
            let all: tokio::task::JoinSet<()> = all.collect();
            if tokio::time::timeout(LONGEST, all.join_all()).await.is_err() {
                faults.add(format!("no end within {LONGEST:?}"));
            }
        });
        proptest::prop_assert_eq!(faults.take(), Vec::<String>::new());
        Ok(())
    };
    let outcome = runner.run(&conversations(), run);
    runtime.block_on(async { drop((proxy, upstream)) });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
