//! What a WebAssembly module needs beside the author's functions: `transform.mjs` puts the two together.

import { Writer } from "./abi";
import { Answer, failure, forget } from "./answer";
import { log } from "./log";
import { keep, reset } from "./memory";
import { Request } from "./request";

export { cabi_realloc } from "./memory";

/** Where the host reads a `result<decision, string>`, of 336 bytes. */
const DECIDED: usize = memory.data(336, 8);

/** Where the host reads a `result<_, string>`. */
const CONFIGURED: usize = memory.data(12, 4);

/** A decision begins. The host has read the last answer long since. */
export function begin(handle: i32): Request {
  forget();
  reset();
  return new Request(handle);
}

/** Where the host finds the answer. */
export function decided(request: Request, answer: Answer): usize {
  request.giveBack();
  const failed = failure();
  (failed !== null ? failed : answer).write(new Writer(DECIDED));
  return DECIDED;
}

/** The author's `configure` has run. */
export function configured(): usize {
  const failed = failure();
  if (failed !== null) failed.write(new Writer(CONFIGURED));
  else store<u8>(CONFIGURED, 0);
  keep();
  return CONFIGURED;
}

/** A bug in the module: its message goes to the tenant's log, and the decision fails. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const text = message !== null ? message : "abort";
  const where = file !== null ? file + ":" + line.toString() + ":" + column.toString() : "?";
  log.error(text + " at " + where);
  unreachable();
}
