//! The WIT interface `upstreams`: the proxy's observations of them.

use std::time::Instant;

use pointsman_rules::check::{Target, target};
use pointsman_rules::contract::{Health, Upstream};
use pointsman_rules::reads::Read;
use pointsman_rules::stores::{Observations, Stores};

use crate::abi::v0_1::bindings::pointsman::router::upstreams::{self, Host};
use crate::state::State;

impl Host for State {
    fn get(&mut self, address: String) -> wasmtime::Result<upstreams::Upstream> {
        let now = self.now;
        let stores = self.stores("upstreams.get")?;
        let upstream = match target(&address) {
            Ok(target) => {
                let in_group = stores.groups.iter().flat_map(|group| group.members());
                let mut health = in_group.filter(|(member, _)| **member == target).map(|(_, health)| health);
                let health = health.find(|health| *health != Health::Unknown).unwrap_or(Health::Unknown);
                seen(stores, now, address, &target, health)
            }
            Err(_) => upstream(address, Observations::default(), Health::Unknown),
        };
        self.reads.note(Read::Upstream(Box::new(upstream.clone())));
        Ok(upstream.into())
    }

    fn group(&mut self, name: String) -> wasmtime::Result<Option<Vec<upstreams::Upstream>>> {
        let now = self.now;
        let stores = self.stores("upstreams.group")?;
        let members = stores.group(&name).map(|group| {
            let member = |(target, health): (&Target, Health)| seen(stores, now, target.to_string(), target, health);
            group.members().map(member).collect::<Vec<_>>()
        });
        self.reads.note(Read::Group { name, members: members.clone() });
        Ok(members.map(|members| members.into_iter().map(Into::into).collect()))
    }
}

fn seen(stores: &Stores, now: Instant, address: String, target: &Target, health: Health) -> Upstream {
    upstream(address, stores.upstreams.known(target, now), health)
}

fn upstream(address: String, known: Observations, health: Health) -> Upstream {
    Upstream { address, health, in_flight: known.in_flight, latency_us: known.latency_us, failures: known.failures }
}
