/**
 * What a module finds beside the language itself, for a `tsconfig.json` without the library `dom`: list this file in it.
 * There are no timers, no `fetch` and no `URL`.
 */

/** Writes to the tenant's log: `log` at level `info`, the others at their own. */
declare const console: Record<'trace' | 'debug' | 'log' | 'info' | 'warn' | 'error', (...parts: unknown[]) => void>;

/** UTF-8 only. */
declare class TextEncoder {
  readonly encoding: string;
  encode(text?: string): Uint8Array;
}

/** UTF-8 only: what is none is replaced by U+FFFD, and a byte order mark is left out. */
declare class TextDecoder {
  constructor(label?: string);
  readonly encoding: string;
  decode(bytes?: ArrayBuffer | ArrayBufferView): string;
}
