//! The values that a router may return, and how the host gets it.

import { Writer } from "./abi";

/** The result of a router: a `Peer`, a `Route`, a `Response`, `pass()` or `fail(text)`. */
export abstract class Answer {
  /** Writes a `result<decision, string>`. */
  abstract write(to: Writer): void;
}

@final
class Pass extends Answer {
  write(to: Writer): void {
    to.some4(false);
    to.u8(2);
  }
}

/** No opinion: the tenant's next module decides. */
export function pass(): Answer {
  return new Pass();
}

@final
class Refusal extends Answer {
  constructor(private text: string) {
    super();
  }

  write(to: Writer): void {
    to.some4(true);
    to.string(this.text);
  }
}

let failed: Answer | null = null;

/**
 * Refuses to decide. The text goes to the tenant's log, never to the client.
 *
 * AssemblyScript has no exceptions that could be caught. So a failure is remembered, and the first one in a decision is
 * its answer, whatever the router returns: `config.text` can fail without a word of the author's.
 */
export function fail(text: string): Answer {
  const answer = new Refusal(text);
  if (failed === null) failed = answer;
  return answer;
}

/** Whether this decision has failed already. */
export function hasFailed(): bool {
  return failed !== null;
}

/** Forgets a failure: a decision begins. */
export function forget(): void {
  failed = null;
}

/** The failure, if there was one. */
export function failure(): Answer | null {
  return failed;
}
