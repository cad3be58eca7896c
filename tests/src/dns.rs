//! A name server whose zone is a list, and which counts its queries.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// The records of a name.
#[derive(Debug, Clone)]
pub enum Entry {
    Addresses(Vec<IpAddr>),
    /// The server fails.
    Broken,
    /// The server refuses the query.
    Refused,
    /// The name does not exist.
    Absent,
    /// The server never answers.
    Silent,
    /// The server delays each answer by this time.
    Slow(Duration, Vec<IpAddr>),
    /// The name is an alias (CNAME) of another, which the client has to query itself.
    Alias(String),
    /// Different results for IPv4 and IPv6.
    Families(Box<Entry>, Box<Entry>),
}

impl Entry {
    /// Addresses, parsed from text.
    pub fn addresses(list: &[&str]) -> Entry {
        Entry::Addresses(parsed(list))
    }

    /// The same, after a delay.
    pub fn slow(delay: Duration, list: &[&str]) -> Entry {
        Entry::Slow(delay, parsed(list))
    }

    pub fn families(v4: Entry, v6: Entry) -> Entry {
        Entry::Families(Box::new(v4), Box::new(v6))
    }

    fn of_kind(&self, kind: RecordType) -> &Entry {
        match self {
            Entry::Families(v4, v6) => {
                if kind == RecordType::AAAA {
                    v6
                } else {
                    v4
                }
            }
            other => other,
        }
    }
}

fn parsed(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|text| text.parse().expect("an address")).collect()
}

/// A name server on its own loopback port. Names that are not in its zone do not exist.
pub struct NameServer {
    address: SocketAddr,
    queries: Arc<Mutex<Vec<(String, RecordType)>>>,
    failing: Arc<AtomicBool>,
    moved: Arc<Mutex<Option<IpAddr>>>,
    serve: JoinHandle<()>,
}

impl NameServer {
    /// Addresses are given as text; all answers have a TTL of `ttl` seconds.
    pub async fn with(ttl: u32, zone: &[(&str, &[&str])]) -> NameServer {
        NameServer::of(ttl, zone.iter().map(|(name, list)| (*name, Entry::addresses(list))).collect()).await
    }

    pub async fn of(ttl: u32, zone: HashMap<&str, Entry>) -> NameServer {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a free port"));
        let address = socket.local_addr().expect("an address");
        let zone: HashMap<String, Entry> = zone.into_iter().map(|(name, entry)| (name.to_owned(), entry)).collect();
        let queries = Arc::new(Mutex::new(Vec::new()));
        let recorded = queries.clone();
        let failing = Arc::new(AtomicBool::new(false));
        let fails = failing.clone();
        let moved = Arc::new(Mutex::new(None));
        let elsewhere = moved.clone();
        let serve = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let query = Message::from_vec(&buffer[..length]).expect("a query");
                let question = query.queries.first().expect("a question").clone();
                let name = text(question.name());
                recorded.lock().expect("records").push((name.clone(), question.query_type()));
                let new = elsewhere.lock().expect("records").map(|address| Entry::Addresses(vec![address]));
                let entry = match fails.load(Ordering::SeqCst) {
                    true => &Entry::Broken,
                    false => new.as_ref().or_else(|| zone.get(&name)).unwrap_or(&Entry::Absent),
                };
                let entry = entry.of_kind(question.query_type());
                let Some(answer) = answer(&query, question.name(), question.query_type(), entry, ttl) else { continue };
                let bytes = answer.to_vec().expect("an answer");
                match entry {
                    Entry::Slow(delay, _) => {
                        let (socket, delay) = (socket.clone(), *delay);
                        tokio::spawn(async move {
                            tokio::time::sleep(delay).await;
                            // The client may have given up.
                            let _ = socket.send_to(&bytes, client).await;
                        });
                    }
                    _ => drop(socket.send_to(&bytes, client).await.expect("the answer is sent")),
                }
            }
        });
        NameServer { address, queries, failing, moved, serve }
    }

    /// From now on every name resolves to this address.
    pub fn move_to(&self, address: &str) {
        *self.moved.lock().expect("records") = Some(address.parse().expect("an address"));
    }

    /// From now on every query fails.
    pub fn fail(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The resolver's configuration with this server as the only one.
    pub fn toml(&self) -> String {
        format!("servers = [\"{}\"]", self.address)
    }

    /// Names that were queried, without the trailing dot.
    pub fn queries(&self, kind: RecordType) -> Vec<String> {
        let queries = self.queries.lock().expect("records");
        let of_kind = queries.iter().filter(|(_, queried)| *queried == kind);
        of_kind.map(|(name, _)| name.clone()).collect()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serve.abort();
    }
}

/// A name in lower case, without the trailing dot, and unescaped: hickory displays some characters escaped.
fn text(name: &Name) -> String {
    let labels: Vec<_> = name.iter().map(|label| String::from_utf8_lossy(label).to_lowercase()).collect();
    labels.join(".")
}

fn answer(query: &Message, name: &Name, kind: RecordType, entry: &Entry, ttl: u32) -> Option<Message> {
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.queries.clone_from(&query.queries);
    let addresses = match entry {
        Entry::Silent => return None,
        Entry::Broken | Entry::Refused => {
            let refused = matches!(entry, Entry::Refused);
            answer.metadata.response_code = if refused { ResponseCode::Refused } else { ResponseCode::ServFail };
            return Some(answer);
        }
        Entry::Addresses(addresses) | Entry::Slow(_, addresses) => addresses.as_slice(),
        Entry::Alias(target) => {
            let target = Name::from_labels(target.split('.').map(str::as_bytes)).expect("a name");
            answer.answers.push(Record::from_rdata(name.clone(), ttl, RData::CNAME(CNAME(target))));
            return Some(answer);
        }
        Entry::Absent => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            &[]
        }
        Entry::Families(..) => unreachable!("taken apart before"),
    };
    for address in addresses {
        let data = match (address, kind) {
            (IpAddr::V4(ip), RecordType::A) => RData::A(A(*ip)),
            (IpAddr::V6(ip), RecordType::AAAA) => RData::AAAA(AAAA(*ip)),
            _ => continue,
        };
        answer.answers.push(Record::from_rdata(name.clone(), ttl, data));
    }
    if answer.answers.is_empty() {
        // TTL of negative answers (RFC 2308).
        let soa = SOA::new(name.clone(), name.clone(), 1, 1, 1, 1, ttl);
        answer.authorities.push(Record::from_rdata(name.clone(), ttl, RData::SOA(soa)));
    }
    Some(answer)
}
