//! Explains a decision to the author of its module: the modules called, the values they read, and their logs.

use std::fmt::Write as _;

use pointsman_rules::reads::Read;
use pointsman_rules::text::printable;

use crate::decide::DecisionEvent;
use crate::evaluate::{Action, ModuleCall};

/// Bytes of a value that are shown, at most.
const LONGEST: usize = 200;

/// The same for failed attempts, each of which takes about 200 bytes.
const LONGEST_ATTEMPTS: usize = 2000;

/// The explanation of one decision.
pub fn text(event: &DecisionEvent<'_>) -> String {
    let action = match &event.action {
        Ok(Action::Connect(route)) => {
            let note = route.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            format!("connect {}{note}", route.peer.connection.target)
        }
        Ok(Action::Respond(response)) => format!("respond {}", response.status.as_u16()),
        Err(failure) => format!("{}: {failure}", failure.answer().code),
    };
    let mut text = format!("{} -> {action} [version {}]\n", request(event), event.version.number);
    if let Some(taken) = event.fallback.as_ref().filter(|_| event.action.is_ok()) {
        // Writing to a `String` can't fail.
        let _ = writeln!(text, "    fallback `{}`, because of {}", taken.level.name(), taken.reason);
    }
    event.calls.iter().for_each(|call| explain_call(&mut text, call, event));
    text
}

fn request(event: &DecisionEvent<'_>) -> String {
    let head = &event.inputs.head;
    let query = head.query().map(|query| format!("?{query}")).unwrap_or_default();
    let request = format!("{} {}://{}{}{query}", head.method(), head.scheme(), head.authority(), head.path());
    printable(&request, LONGEST).0
}

/// Adds a module that was called, with its answer, reads and log lines.
fn explain_call(text: &mut String, call: &ModuleCall<'_>, event: &DecisionEvent<'_>) {
    let (module, report) = (call.module, &call.report);
    let (kind, elapsed) = (report.answer_kind.unwrap_or("no answer"), report.elapsed.as_micros());
    let _ = writeln!(text, "    module {}: {kind}, after {elapsed} us", module.digest());
    for read in report.reads.list() {
        let value = read.seen(event.inputs, module.settings()).to_string();
        let longest = if *read == Read::Attempts { LONGEST_ATTEMPTS } else { LONGEST };
        let _ = writeln!(text, "      read {read} = {}", printable(&value, longest).0);
    }
    for line in &report.lines {
        let _ = writeln!(text, "      log  {}: {}", line.level.name(), line.message);
    }
}
