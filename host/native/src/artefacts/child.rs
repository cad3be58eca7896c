//! Builds in a child process, which is this program too. Both ends of its standard output are here, so that no other
//! output is taken for compiled code.

use std::io::{Result, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};

use crate::artefacts::CompiledCode;

/// The subcommand that the child runs. Its standard output is for [`report_built`] alone.
pub const COMMAND: &str = "build-module";

/// The first bytes of a report.
const MAGIC: &[u8; 16] = b"pointsman-built\n";

/// A child process that has ended.
#[derive(Debug)]
pub struct ChildEnd {
    pub status: ExitStatus,
    pub stderr: Vec<u8>,
    stdout: Vec<u8>,
}

/// Runs this program's [`COMMAND`] with this input, and waits for its end.
pub fn build_in_child(input: &[&[u8]]) -> Result<ChildEnd> {
    // The program that runs now, even if it was replaced on disk meanwhile.
    let mut child = Command::new("/proc/self/exe")
        .arg(COMMAND)
        // Signals that a terminal or a script sends to the proxy's process group are not meant for the child.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // If the child ended early, its standard error or its status says why.
        let _ = input.iter().try_for_each(|part| stdin.write_all(part));
    }
    let output = child.wait_with_output()?;
    Ok(ChildEnd { status: output.status, stderr: output.stderr, stdout: output.stdout })
}

/// The child's side: reports code, and facts about it, to the process that runs it.
pub fn report_built(code: &CompiledCode, facts: &[u8]) -> Result<()> {
    write_report(&mut std::io::stdout().lock(), code, facts)
}

impl ChildEnd {
    /// The reported code, and the facts about it. None: the child reported nothing, or not all of it.
    pub fn built(mut self) -> Option<(CompiledCode, Vec<u8>)> {
        if !self.status.success() {
            return None;
        }
        let (magic, rest) = self.stdout.split_first_chunk()?;
        let (facts, rest) = rest.split_first_chunk()?;
        let (code, rest) = rest.split_first_chunk()?;
        let length = |bytes| usize::try_from(u64::from_le_bytes(bytes)).ok();
        let (facts, code) = (length(*facts)?, length(*code)?);
        if magic != MAGIC || rest.len().checked_sub(facts) != Some(code) {
            return None;
        }
        let facts = rest.get(..facts)?.to_owned();
        let before = self.stdout.len().checked_sub(code)?;
        self.stdout.drain(..before);
        Some((CompiledCode { bytes: self.stdout }, facts))
    }
}

fn write_report(out: &mut impl std::io::Write, code: &CompiledCode, facts: &[u8]) -> Result<()> {
    out.write_all(MAGIC)?;
    for part in [facts, &code.bytes] {
        out.write_all(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes())?;
    }
    out.write_all(facts)?;
    out.write_all(&code.bytes)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn ended(status: i32, stdout: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let end = ChildEnd { status: ExitStatus::from_raw(status), stderr: Vec::new(), stdout: stdout.to_owned() };
        end.built().map(|(code, facts)| (code.bytes, facts))
    }

    #[test]
    fn only_a_whole_report_of_a_child_that_succeeded_is_code() {
        let (code, mut report) = (CompiledCode { bytes: b"code".to_vec() }, Vec::new());
        write_report(&mut report, &code, b"facts").expect("written");
        assert_eq!(ended(0, &report), Some((b"code".to_vec(), b"facts".to_vec())));
        assert_eq!(ended(256, &report), None, "it failed");
        assert_eq!(ended(9, &report), None, "it was killed");
        for length in 0..report.len() {
            assert_eq!(ended(0, &report[..length]), None, "{length} bytes of {}", report.len());
        }
        assert_eq!(ended(0, &[report.as_slice(), b"\n"].concat()), None, "it printed more");
        assert_eq!(ended(0, &[b"\n", report.as_slice()].concat()), None, "it printed something before");
    }
}
