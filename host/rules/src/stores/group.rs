//! Groups of upstreams, and the health of their members as health checks find it.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::check::Target;
use crate::contract::Health;

/// A named group of upstreams.
#[derive(Debug)]
pub struct Group {
    name: String,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    target: Target,
    health: AtomicU8,
}

impl Group {
    /// A group whose members' health is unknown.
    pub fn new(name: &str, targets: impl IntoIterator<Item = Target>) -> Group {
        let member = |target| Member { target, health: AtomicU8::new(number(Health::Unknown)) };
        Group { name: name.to_owned(), members: targets.into_iter().map(member).collect() }
    }

    /// A copy in which the members have the health that `health` returns for them, or else that of this group.
    pub fn with_health(&self, health: impl Fn(&Target) -> Option<Health>) -> Group {
        let member = |(target, before): (&Target, Health)| Member {
            target: target.clone(),
            health: AtomicU8::new(number(health(target).unwrap_or(before))),
        };
        Group { name: self.name.clone(), members: self.members().map(member).collect() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The members, in the configuration's order.
    pub fn members(&self) -> impl Iterator<Item = (&Target, Health)> {
        self.members.iter().map(|member| (&member.target, health(member.health.load(Ordering::Relaxed))))
    }

    /// Records the health that a check found for the member at this index.
    pub fn set_health(&self, place: usize, health: Health) {
        if let Some(member) = self.members.get(place) {
            member.health.store(number(health), Ordering::Relaxed);
        }
    }
}

fn number(health: Health) -> u8 {
    match health {
        Health::Unknown => 0,
        Health::Healthy => 1,
        Health::Unhealthy => 2,
    }
}

fn health(number: u8) -> Health {
    match number {
        1 => Health::Healthy,
        2 => Health::Unhealthy,
        _ => Health::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_stored_by_position() {
        let target = |port| Target::Socket(([192, 0, 2, 1], port).into());
        let group = Group::new("a", [target(1), target(2)]);
        group.set_health(1, Health::Unhealthy);
        group.set_health(2, Health::Healthy);
        let health = |group: &Group| group.members().map(|(_, health)| health).collect::<Vec<_>>();
        assert_eq!(health(&group), [Health::Unknown, Health::Unhealthy]);
        let other = group.with_health(|member| (*member == target(1)).then_some(Health::Healthy));
        assert_eq!(health(&other), [Health::Healthy, Health::Unhealthy]);
        group.set_health(1, Health::Healthy);
        assert_eq!(group.members().last(), Some((&target(2), Health::Healthy)));
    }
}
