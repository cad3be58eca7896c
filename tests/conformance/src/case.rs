//! One request, and the expected result.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pointsman_rules::check;
use pointsman_rules::contract::{Attempt, Decision, Header, Level, Response};
use pointsman_rules::inputs::Inputs;
use pointsman_rules::request::{Arrival, DownstreamTls, RequestHead};
use pointsman_rules::stores::{Group, InFlight, SharedStore, Stores, Upstreams};

use crate::dice::Dice;

/// The module's configuration.
pub const CONFIG: &str = r#"{"name":"conformance","upstreams":["192.0.2.1:80","192.0.2.2:80","192.0.2.3:80"],"percent":25,"deep":{"a/b":{"~":["x","é"]}}}"#;

/// Its value of `upstreams`.
pub const UPSTREAMS: [&str; 3] = ["192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:80"];

pub struct Case {
    pub inputs: Inputs,
    pub expected: Expected,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Expected {
    pub answer: Result<Decision, String>,
    pub log: Vec<(Level, String)>,
}

impl Expected {
    /// Whether a module's answer is the expected one. An SDK may add to an error's text where the module failed.
    pub fn is_met_by(&self, found: &Expected) -> bool {
        let same = match (&self.answer, &found.answer) {
            (Err(text), Err(found)) => found.strip_prefix(text).is_some_and(|rest| rest.is_empty() || is_place(rest)),
            (expected, found) => expected == found,
        };
        same && self.log == found.log
    }
}

/// Whether this is ` (FILE:LINE, FILE:LINE)`, with any number of places.
fn is_place(text: &str) -> bool {
    let names_line = |place: &str| place.rsplit_once(':').is_some_and(|(_, line)| line.parse::<u32>().is_ok());
    text.strip_prefix(" (")
        .and_then(|places| places.strip_suffix(')'))
        .is_some_and(|places| places.split(", ").all(names_line))
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.answer {
            Ok(Decision::Respond(response)) => {
                writeln!(f, "respond {}", response.status)?;
                for header in &response.headers {
                    writeln!(f, "  {}: {:?}", header.name, String::from_utf8_lossy(&header.value))?;
                }
                for line in response.body.split_inclusive(|&byte| byte == b'\n') {
                    writeln!(f, "  | {:?}", String::from_utf8_lossy(line))?;
                }
            }
            Ok(decision) => writeln!(f, "{decision:#?}")?,
            Err(error) => writeln!(f, "error {error:?}")?,
        }
        self.log.iter().try_for_each(|(level, line)| writeln!(f, "log {} {line:?}", level.name()))
    }
}

/// The properties of a request. Everything has a default.
pub struct TestRequest {
    pub method: Method,
    pub target: Vec<u8>,
    pub authority: &'static str,
    pub headers: Vec<(String, Vec<u8>)>,
    pub client_ip: IpAddr,
    pub listener: &'static str,
    pub tls: Option<DownstreamTls>,
    pub attempts: Vec<Attempt>,
}

impl TestRequest {
    pub fn new(target: impl Into<Vec<u8>>) -> TestRequest {
        TestRequest {
            method: Method::GET,
            target: target.into(),
            authority: "shop.example",
            headers: Vec::new(),
            client_ip: [192, 0, 2, 99].into(),
            listener: "web",
            tls: None,
            attempts: Vec::new(),
        }
    }

    /// A part of the job with its parameters, in some encoding.
    pub fn part(dice: &mut Dice, part: &str, parameters: &[(&str, &str)]) -> TestRequest {
        let pairs: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{}={}", dice.encoded(name), dice.encoded(value))).collect();
        match pairs.is_empty() {
            true => TestRequest::new(format!("/{part}")),
            false => TestRequest::new(format!("/{part}?{}", pairs.join(dice.pick(&["&", "&&"])))),
        }
    }

    pub fn head(&self) -> RequestHead {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
            headers.append(name, HeaderValue::from_bytes(value).expect("a header's value"));
        }
        RequestHead::new(Arrival {
            method: self.method.clone(),
            target: self.target.clone(),
            authority: self.authority.to_owned(),
            headers,
            client_ip: Some(self.client_ip),
            listener: self.listener.into(),
            tls: self.tls.clone().map(Arc::new),
        })
    }

    pub fn expects(self, answer: Result<Decision, String>) -> Case {
        self.expects_and_logs(answer, Vec::new())
    }

    pub fn expects_and_logs(self, answer: Result<Decision, String>, log: Vec<(Level, String)>) -> Case {
        Case { inputs: Inputs::after(Arc::new(self.head()), &self.attempts), expected: Expected { answer, log } }
    }
}

/// A plain answer.
pub fn plain(lines: impl Into<Vec<u8>>) -> Result<Decision, String> {
    Ok(Decision::Respond(Response {
        status: 200,
        headers: vec![header("content-type", "text/plain; charset=utf-8")],
        body: lines.into(),
    }))
}

pub fn header(name: &str, value: impl AsRef<[u8]>) -> Header {
    Header { name: name.to_owned(), value: value.as_ref().to_vec() }
}

/// The state of upstreams and of the store that modules can read: new for each decision, and always the same.
pub fn stores() -> (Arc<Stores>, Vec<InFlight>) {
    let now = Instant::now();
    let upstreams = Arc::new(Upstreams::new(100, now));
    let begin = |address: &str| upstreams.begin(&check::target(address).expect("an address"), now);
    let under_way = vec![begin("192.0.2.1:80"), begin("192.0.2.1:80"), begin("[2001:db8::1]:443")];
    begin("192.0.2.2:80").answered(now + Duration::from_micros(1500));
    for _ in 0..3 {
        upstreams.failed(&begin("unix:/run/shop.sock"), now);
    }
    let addresses = ["192.0.2.1:80", "192.0.2.2:80", "[2001:db8::1]:443"].map(|address| address.parse().expect("one"));
    let group = Arc::new(Group::new("backends", addresses.map(check::Target::Socket)));
    (Arc::new(Stores { shared: Arc::new(SharedStore::new(4_000_000)), upstreams, groups: vec![group] }), under_way)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_may_say_where_the_module_failed_and_nothing_else() {
        let error = |text: &str| Expected { answer: Err(text.to_owned()), log: Vec::new() };
        for (found, is_met) in [
            ("too late", true),
            ("too late (router.py:12)", true),
            ("too late (lib/table.js:4, router.js:12)", true),
            ("too late (today)", false),
            ("too late router.py:12", false),
            ("too", false),
        ] {
            assert_eq!(error("too late").is_met_by(&error(found)), is_met, "{found}");
        }
    }
}
