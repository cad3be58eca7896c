//! `wasi:io/streams` and the standard streams: output goes line by line to the tenant's log, standard output at level
//! `info`, standard error at `warn`. Standard input is at its end, and so is any other stream (`deny`).

use pointsman_rules::contract::Level;
use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource};

use crate::state::{Output, State};
use crate::wasi::resources::{InputStream, IoError, OutputStream, Pollable};

const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Bytes that a stream offers to take at once. It takes anything that `limits.host_call_bytes` lets through.
const WRITABLE: u64 = 64 * 1024;

/// Most zeroes that are written: nobody learns anything from more than a log has room for.
const MOST_ZEROES: u64 = 1024;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

type Written = (Result<(), StreamError>,);

impl State {
    fn write(&mut self, stream: &Resource<OutputStream>, bytes: &[u8]) -> wasmtime::Result<Written> {
        self.count_call()?;
        self.print(stream.rep(), bytes);
        Ok((Ok(()),))
    }

    fn print(&mut self, stream: u32, mut bytes: &[u8]) {
        let State { wasi_output, lines, .. } = self;
        let (unfinished, level) = match stream {
            STDERR => (&mut wasi_output.stderr, Level::Warn),
            _ => (&mut wasi_output.stdout, Level::Info),
        };
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            if lines.is_full() {
                // One more line marks the cut; the rest, possibly a megabyte of empty lines, is skipped.
                unfinished.clear();
                lines.push(level, "");
                return;
            }
            let (line, rest) = bytes.split_at(end);
            keep(unfinished, line, lines.room());
            lines.push(level, &Output::text(unfinished));
            unfinished.clear();
            bytes = rest.split_first().map_or(&[], |(_, rest)| rest);
        }
        keep(unfinished, bytes, lines.room());
    }
}

/// Adds to a line as many bytes as the log may have room for, and one more, which shows that the line was cut.
fn keep(unfinished: &mut Vec<u8>, bytes: &[u8], room: usize) {
    let room = room.saturating_add(1).saturating_sub(unfinished.len());
    unfinished.extend(bytes.iter().take(room));
}

/// `get-stdin`, `get-stdout`, `get-stderr`.
pub fn add_getter(linked: &mut LinkerInstance<'_, State>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "get-stdin" => linked.func_wrap(function, |mut store, (): ()| store.data_mut().hand_out::<InputStream>(0))?,
        "get-stdout" => {
            linked.func_wrap(function, |mut store, (): ()| store.data_mut().hand_out::<OutputStream>(STDOUT))?;
        }
        "get-stderr" => {
            linked.func_wrap(function, |mut store, (): ()| store.data_mut().hand_out::<OutputStream>(STDERR))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

pub fn add(linked: &mut LinkerInstance<'_, State>, function: &str) -> wasmtime::Result<bool> {
    match function {
        "[method]output-stream.check-write" => {
            linked.func_wrap(function, |mut store, (_,): (Resource<OutputStream>,)| {
                store.data_mut().count_call()?;
                Ok((Ok::<u64, StreamError>(WRITABLE),))
            })?;
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            linked.func_wrap(function, |mut store, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
                store.data_mut().write(&stream, &bytes)
            })?;
        }
        "[method]output-stream.write-zeroes" | "[method]output-stream.blocking-write-zeroes-and-flush" => {
            linked.func_wrap(function, |mut store, (stream, length): (Resource<OutputStream>, u64)| {
                let length = usize::try_from(length.min(MOST_ZEROES)).unwrap_or_default();
                store.data_mut().write(&stream, &vec![0; length])
            })?;
        }
        // A line that is flushed in its middle is still one line.
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            linked.func_wrap(function, |mut store, (stream,): (Resource<OutputStream>,)| {
                store.data_mut().write(&stream, &[])
            })?;
        }
        "[method]output-stream.subscribe" => linked
            .func_wrap(function, |mut store, (_,): (Resource<OutputStream>,)| {
                store.data_mut().hand_out::<Pollable>(0)
            })?,
        "[method]input-stream.subscribe" => linked
            .func_wrap(function, |mut store, (_,): (Resource<InputStream>,)| {
                store.data_mut().hand_out::<Pollable>(0)
            })?,
        _ => return Ok(false),
    }
    Ok(true)
}
