//! Every misbehaviour that the module `hostile` implements, each in its own tenant and all at once: each has its own
//! outcome, the process survives, its memory is bounded, and a well-behaved tenant is served meanwhile.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use tokio::net::TcpSocket;

use crate::running::{Running, example};

/// A misbehaviour, the limits it runs under, and the codes of its responses until the tenant exceeds its quota or its
/// breaker opens. No codes: the requests are served.
const MISBEHAVIOURS: [(&str, &str, &[&str]); 14] = [
    ("spin", "", &["module-budget"]),
    ("panic", "", &["module-trap"]),
    // Rust keeps its own stack in memory, which overflows first.
    ("recurse", "", &["module-trap", "module-stack"]),
    ("allocate", "decision_ms = 1_000", &["module-memory"]),
    // A string of forty megabytes.
    ("string", "memory_mib = 256\ndecision_ms = 10_000", &["module-host-call"]),
    ("headers", "memory_mib = 64\ndecision_ms = 10_000", &["decision-refused", "module-host-call"]),
    ("body", "memory_mib = 64\ndecision_ms = 10_000", &["module-host-call"]),
    ("log", "decision_ms = 1_000", &[]),
    ("imports", "decision_ms = 1_000", &["module-host-calls"]),
    ("keys", "decision_ms = 1_000", &[]),
    ("tenth", "", &["module-trap"]),
    ("peers", "", &["upstream-refused"]),
    ("forge", "", &["decision-refused"]),
    ("nothing", "", &[]),
];

fn tenant(does: &str, limits: &str, dead: SocketAddr) -> String {
    format!(
        "[[tenant]]\nname = \"{does}\"\nhostnames = [\"{does}.test\"]\n\
         [[tenant.module]]\npath = \"{}\"\nconfig = {{ does = \"{does}\", address = \"{dead}\" }}\n\
         [tenant.limits]\n{limits}\n\
         [tenant.quota]\ncpu_percent = 100\nlog_bytes_per_s = 1_000\n\
         [tenant.breaker]\nfailures = 20\nopen_ms = 20\n{}\n",
        example("hostile"),
        match does {
            "peers" => "[tenant.grants]\nnetworks = [\"127.0.0.1\"]",
            _ => "",
        }
    )
}

/// The status and failure code of a response.
fn get(address: SocketAddr, tenant: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!("GET / HTTP/1.1\r\nhost: {tenant}.test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    let status = response.split(' ').nth(1).and_then(|status| status.parse().ok());
    let code = response.lines().find_map(|line| line.strip_prefix("pointsman-error: "));
    (status.unwrap_or_else(|| panic!("a status in {response}")), code.unwrap_or_default().to_owned())
}

fn round(address: SocketAddr, requests: usize) {
    std::thread::scope(|scope| {
        for (does, _, codes) in MISBEHAVIOURS {
            scope.spawn(move || {
                let mut is_its_own = codes.is_empty();
                for number in 0..requests {
                    let (status, code) = get(address, does);
                    let served = code.is_empty() && status == 204;
                    let may_be_served = codes.is_empty() || does == "tenth";
                    // On a slow machine, a misbehaviour may use up its tenant's CPU share before another limit ends it.
                    let is_late = ["breaker-open", "quota-cpu", "quota-decisions"].contains(&code.as_str());
                    let is_own = codes.contains(&code.as_str());
                    let expected = if code.is_empty() { served && may_be_served } else { is_own || is_late };
                    is_its_own |= is_own;
                    assert!(expected, "{does}, request {number}: {status} {code}");
                    assert_eq!(get(address, "nothing"), (204, String::new()), "during {does}");
                }
                assert!(is_its_own, "{does} never ended in its own way");
            });
        }
    });
}

#[test]
fn each_misbehaviour_has_its_own_failure_and_leaks_no_memory() {
    // Bound but never listening: it refuses connections, and no other test's proxy can get the port.
    let reserved = TcpSocket::new_v4().expect("a socket");
    reserved.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let dead = reserved.local_addr().expect("an address");
    let tenants: String = MISBEHAVIOURS.map(|(does, limits, _)| tenant(does, limits, dead)).concat();
    let proxy = Running::start_tenants("[proxy]\nthreads = 2\n[log]\naccess = \"off\"", &tenants);
    let address = proxy.address();

    round(address, 20);
    let before = proxy.resident();
    round(address, 60);
    let after = proxy.resident();
    let growth = after.saturating_sub(before) / 1024 / 1024;
    assert!(growth < 32, "{growth} MiB more after another 840 requests; {} MiB before", before / 1024 / 1024);

    proxy.signal("TERM");
    let log = proxy.ends(0);
    assert!(log.contains("lines of modules dropped"), "the flood was not bounded");
    assert!(!log.contains('\u{1b}') && !log.lines().any(|line| line == "forged"), "control characters are escaped");
}
