//! A decision, told to the author of its module.

use std::fmt::Write as _;

use pointsman_rules::contract;
use pointsman_rules::request::RequestHead;
use pointsman_rules::text::printable;
use pointsman_wasm::call::Decided;
use pointsman_wasm::module::Module;

use crate::ask::Wanted;
use crate::decide::Decision;

/// What is told of one decision.
pub struct Explained {
    request: String,
    version: u64,
    modules: String,
}

/// Bytes that are told of a value.
const LONGEST: usize = 200;

impl Explained {
    pub fn new(head: &RequestHead, version: u64) -> Explained {
        let query = head.query().map(|query| format!("?{query}")).unwrap_or_default();
        let request = format!("{} {}://{}{}{query}", head.method(), head.scheme(), head.authority(), head.path());
        Explained { request: printable(&request, LONGEST).0, version, modules: String::new() }
    }

    /// A module was asked.
    pub fn seen(&mut self, module: &Module, decided: &Decided, head: &RequestHead, attempts: &[contract::Attempt]) {
        let said = decided.said.unwrap_or("no answer");
        let (out, elapsed) = (&mut self.modules, decided.elapsed.as_micros());
        // Writing to a `String` can't fail.
        let _ = writeln!(out, "    module {}: {said}, after {elapsed} us", module.digest());
        for read in decided.reads.list() {
            let saw = read.seen(head, module.settings(), attempts).to_string();
            let _ = writeln!(out, "      read {read} = {}", printable(&saw, LONGEST).0);
        }
        for line in &decided.lines {
            let _ = writeln!(out, "      log  {}: {}", line.level.name(), line.message);
        }
    }

    pub fn text(&self, decision: &Decision) -> String {
        let wanted = match &decision.wanted {
            Ok(Wanted::Connect(route)) => {
                let note = route.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
                format!("connect {}{note}", route.peer.connection.target)
            }
            Ok(Wanted::Respond(response)) => format!("respond {}", response.status.as_u16()),
            Err(failure) => format!("{}: {failure}", failure.answer().code),
        };
        let fallback = match &decision.fallback {
            Some(fallen) if decision.wanted.is_ok() => {
                format!("    fallback `{}`, because of {}\n", fallen.rung.name(), fallen.because)
            }
            Some(_) | None => String::new(),
        };
        format!("{} -> {wanted} [version {}]\n{fallback}{}", self.request, self.version, self.modules)
    }
}
