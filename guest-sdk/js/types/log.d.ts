/**
 * The tenant's log. A message is shown as `String(message)`. Beyond the tenant's `limits.log_bytes`, a decision's lines
 * are cut. `console.log` and its like write here too.
 */

export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export function trace(message: unknown): void;
export function debug(message: unknown): void;
export function info(message: unknown): void;
export function warn(message: unknown): void;
export function error(message: unknown): void;

/** Writes a line. */
export function write(level: Level, message: unknown): void;
