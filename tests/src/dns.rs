//! A name server whose zone is a list, and which counts what it is asked.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// What is known of a name.
#[derive(Debug, Clone)]
pub enum Entry {
    Addresses(Vec<IpAddr>),
    /// The server fails.
    Broken,
    /// The server never answers.
    Silent,
}

/// A name server on a loopback port of its own. What is not in its zone does not exist.
pub struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
    failing: Arc<AtomicBool>,
    moved: Arc<Mutex<Option<IpAddr>>>,
    serve: JoinHandle<()>,
}

impl NameServer {
    /// Addresses are given as text; all answers are good for `ttl` seconds.
    pub async fn with(ttl: u32, zone: &[(&str, &[&str])]) -> NameServer {
        let entry = |addresses: &&[&str]| {
            Entry::Addresses(addresses.iter().map(|text| text.parse().expect("an address")).collect())
        };
        NameServer::of(ttl, zone.iter().map(|(name, addresses)| (*name, entry(addresses))).collect()).await
    }

    pub async fn of(ttl: u32, zone: HashMap<&str, Entry>) -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("an address");
        let zone: HashMap<String, Entry> = zone.into_iter().map(|(name, entry)| (name.to_owned(), entry)).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        let failing = Arc::new(AtomicBool::new(false));
        let fails = failing.clone();
        let moved = Arc::new(Mutex::new(None));
        let elsewhere = moved.clone();
        let serve = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let query = Message::from_vec(&buffer[..length]).expect("a query");
                let question = query.queries.first().expect("a question").clone();
                let name = question.name().to_lowercase().to_string();
                noted.lock().expect("notes").push((name.clone(), question.query_type()));
                let new = elsewhere.lock().expect("notes").map(|address| Entry::Addresses(vec![address]));
                let entry = match fails.load(Ordering::SeqCst) {
                    true => Some(&Entry::Broken),
                    false => new.as_ref().or_else(|| zone.get(name.trim_end_matches('.'))),
                };
                if let Some(answer) = answer(&query, question.name(), question.query_type(), entry, ttl) {
                    let bytes = answer.to_vec().expect("an answer");
                    socket.send_to(&bytes, client).await.expect("the answer is sent");
                }
            }
        });
        NameServer { address, asked, failing, moved, serve }
    }

    /// From now on every name has this address.
    pub fn move_to(&self, address: &str) {
        *self.moved.lock().expect("notes") = Some(address.parse().expect("an address"));
    }

    /// From now on it fails for every name.
    pub fn fail(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }

    /// The resolver's configuration that asks this server, and it alone.
    pub fn toml(&self) -> String {
        format!("servers = [\"{}\"]", self.address)
    }

    /// Names asked for, without the dot at their end.
    pub fn asked(&self, kind: RecordType) -> Vec<String> {
        let asked = self.asked.lock().expect("notes");
        let of_kind = asked.iter().filter(|(_, asked)| *asked == kind);
        of_kind.map(|(name, _)| name.trim_end_matches('.').to_owned()).collect()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serve.abort();
    }
}

fn answer(query: &Message, name: &Name, kind: RecordType, entry: Option<&Entry>, ttl: u32) -> Option<Message> {
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.queries.clone_from(&query.queries);
    let addresses = match entry {
        Some(Entry::Silent) => return None,
        Some(Entry::Broken) => {
            answer.metadata.response_code = ResponseCode::ServFail;
            return Some(answer);
        }
        Some(Entry::Addresses(addresses)) => addresses.as_slice(),
        None => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            &[]
        }
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
        // How long "there is none" is good (RFC 2308).
        let soa = SOA::new(name.clone(), name.clone(), 1, 1, 1, 1, ttl);
        answer.authorities.push(Record::from_rdata(name.clone(), ttl, RData::SOA(soa)));
    }
    Some(answer)
}
