//! Bounds the number of connections: in total, per listener, and per client network.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::Mutex;
use pointsman_rules::quota::{Count, CountGuard};

use crate::metrics::{ListenerMetrics, OpenConnection};

/// The bound that a connection exceeds; the connection is closed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// `proxy.max_connections`
    Process,
    /// `listener.max_connections`
    Listener,
    /// `listener.max_connections_per_client`
    Client,
}

impl Full {
    /// The metric's label.
    pub fn reason(self) -> &'static str {
        match self {
            Full::Process => "proxy-max-connections",
            Full::Listener => "listener-max-connections",
            Full::Client => "max-connections-per-client",
        }
    }
}

/// A limit on connections, and the number of connections that count against it.
#[derive(Debug, Clone)]
pub struct Slots {
    limit: usize,
    taken: Count,
}

impl Slots {
    pub fn new(limit: usize) -> Slots {
        Slots { limit, taken: Count::default() }
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    fn enter(&self) -> Option<CountGuard> {
        self.taken.enter(self.limit)
    }
}

/// The bounds of one listener.
#[derive(Debug)]
pub struct Admission {
    process: Slots,
    listener: Slots,
    clients: Arc<Clients>,
    metrics: Arc<ListenerMetrics>,
}

/// Numbers of connections by client network.
#[derive(Debug)]
struct Clients {
    limit: usize,
    /// Load balancers, whose connections belong to many clients.
    exempt: Vec<IpNet>,
    connections: Mutex<HashMap<u128, usize, foldhash::fast::RandomState>>,
}

/// An admitted connection. It counts until this is dropped.
#[derive(Debug)]
pub struct AdmissionGuard {
    _process: CountGuard,
    _listener: CountGuard,
    _client: Option<ClientSlot>,
    _open: OpenConnection,
}

#[derive(Debug)]
struct ClientSlot {
    clients: Arc<Clients>,
    network: u128,
}

impl Admission {
    /// `process` is shared by all listeners.
    pub fn new(
        process: Slots,
        listener: usize,
        per_client: usize,
        exempt: Vec<IpNet>,
        metrics: Arc<ListenerMetrics>,
    ) -> Admission {
        let clients = Arc::new(Clients { limit: per_client, exempt, connections: Mutex::default() });
        Admission { process, listener: Slots::new(listener), clients, metrics }
    }

    /// Admits a connection; a client on a Unix socket has no address.
    pub fn enter(&self, client: Option<IpAddr>) -> Result<AdmissionGuard, Full> {
        let process = self.process.enter().ok_or(Full::Process)?;
        let listener = self.listener.enter().ok_or(Full::Listener)?;
        let client = client.map(|ip| self.clients.enter(ip)).transpose()?.flatten();
        Ok(AdmissionGuard { _process: process, _listener: listener, _client: client, _open: self.metrics.connection() })
    }
}

impl Clients {
    fn enter(self: &Arc<Self>, ip: IpAddr) -> Result<Option<ClientSlot>, Full> {
        let ip = ip.to_canonical();
        if self.limit == usize::MAX || self.exempt.iter().any(|network| network.contains(&ip)) {
            return Ok(None);
        }
        let network = network(ip);
        let mut connections = self.connections.lock();
        let count = connections.entry(network).or_insert(0);
        if *count >= self.limit {
            return Err(Full::Client);
        }
        *count = count.saturating_add(1);
        Ok(Some(ClientSlot { clients: self.clone(), network }))
    }
}

impl Drop for ClientSlot {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.clients.connections.lock().entry(self.network) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// An IPv4 address, or the /64 of an IPv6 address: the smallest network that one client has.
fn network(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn each_bound_is_enforced_and_released() {
        let process = Slots::new(3);
        let metrics = Metrics::new().expect("metrics");
        let listener = |name| Arc::new(metrics.listener(name));
        let admission = Admission::new(process.clone(), 2, 1, Vec::new(), listener("web"));
        let first = admission.enter(ip("192.0.2.1")).expect("room");
        assert_eq!(admission.enter(ip("192.0.2.1")).err(), Some(Full::Client));
        let second = admission.enter(ip("192.0.2.2")).expect("room");
        assert_eq!(admission.enter(ip("192.0.2.3")).err(), Some(Full::Listener));
        let other = Admission::new(process.clone(), 2, 1, Vec::new(), listener("other"));
        let third = other.enter(None).expect("room");
        assert_eq!(other.enter(ip("192.0.2.4")).err(), Some(Full::Process));
        let open = |count: u8| {
            let text = metrics.text().expect("text");
            text.contains(&format!("pointsman_connections{{listener=\"web\"}} {count}\n"))
        };
        assert!(open(2), "refused ones are not open");
        drop((first, second, third));
        assert!(open(0));
        assert_eq!((process.taken.now(), admission.listener.taken.now()), (0, 0));
        assert!(admission.clients.connections.lock().is_empty());
    }

    #[test]
    fn ipv6_clients_count_by_network_and_load_balancers_do_not_count() {
        let exempt = vec!["10.0.0.0/8".parse().expect("a network")];
        let metrics = Metrics::new().expect("metrics").listener("web");
        let admission = Admission::new(Slots::new(9), 9, 1, exempt, Arc::new(metrics));
        let _held = admission.enter(ip("2001:db8::1")).expect("room");
        assert_eq!(admission.enter(ip("2001:db8::2")).err(), Some(Full::Client));
        assert!(admission.enter(ip("2001:db8:0:1::1")).is_ok());
        let _mapped = admission.enter(ip("::ffff:192.0.2.1")).expect("room");
        assert_eq!(admission.enter(ip("192.0.2.1")).err(), Some(Full::Client));
        let _balancer =
            (admission.enter(ip("10.0.0.1")).expect("room"), admission.enter(ip("10.0.0.1")).expect("room"));
    }
}
