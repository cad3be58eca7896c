//! Explains a decision to the author of its module: the modules called, the values they read, and their logs.

use std::fmt::Write as _;

use pointsman_rules::contract;
use pointsman_rules::request::RequestHead;
use pointsman_rules::text::printable;
use pointsman_wasm::call::CallReport;
use pointsman_wasm::module::Module;

use crate::decide::Decision;
use crate::evaluate::Action;

/// The explanation of one decision.
pub struct Explained {
    request: String,
    version: u64,
    modules: String,
}

/// Bytes of a value that are shown, at most.
const LONGEST: usize = 200;

impl Explained {
    pub fn new(head: &RequestHead, version: u64) -> Explained {
        let query = head.query().map(|query| format!("?{query}")).unwrap_or_default();
        let request = format!("{} {}://{}{}{query}", head.method(), head.scheme(), head.authority(), head.path());
        Explained { request: printable(&request, LONGEST).0, version, modules: String::new() }
    }

    /// Adds a module that was called, with its answer, reads and log lines.
    pub fn seen(&mut self, module: &Module, report: &CallReport, head: &RequestHead, attempts: &[contract::Attempt]) {
        let said = report.said.unwrap_or("no answer");
        let (out, elapsed) = (&mut self.modules, report.elapsed.as_micros());
        // Writing to a `String` can't fail.
        let _ = writeln!(out, "    module {}: {said}, after {elapsed} us", module.digest());
        for read in report.reads.list() {
            let saw = read.seen(head, module.settings(), attempts).to_string();
            let _ = writeln!(out, "      read {read} = {}", printable(&saw, LONGEST).0);
        }
        for line in &report.lines {
            let _ = writeln!(out, "      log  {}: {}", line.level.name(), line.message);
        }
    }

    pub fn text(&self, decision: &Decision) -> String {
        let action = match &decision.action {
            Ok(Action::Connect(route)) => {
                let note = route.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
                format!("connect {}{note}", route.peer.connection.target)
            }
            Ok(Action::Respond(response)) => format!("respond {}", response.status.as_u16()),
            Err(failure) => format!("{}: {failure}", failure.answer().code),
        };
        let fallback = match &decision.fallback {
            Some(taken) if decision.action.is_ok() => {
                format!("    fallback `{}`, because of {}\n", taken.level.name(), taken.because)
            }
            Some(_) | None => String::new(),
        };
        format!("{} -> {action} [version {}]\n{fallback}{}", self.request, self.version, self.modules)
    }
}
