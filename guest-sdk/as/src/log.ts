//! The tenant's log.

import { Argument } from "./abi";
import * as host from "./host";

/** The level of a line. */
export enum Level { Trace, Debug, Info, Warn, Error }

export namespace log {
  /** Writes a line at level `trace`. */
  export function trace(message: string): void {
    write(Level.Trace, message);
  }

  /** Writes a line at level `debug`. */
  export function debug(message: string): void {
    write(Level.Debug, message);
  }

  /** Writes a line at level `info`. */
  export function info(message: string): void {
    write(Level.Info, message);
  }

  /** Writes a line at level `warn`. */
  export function warn(message: string): void {
    write(Level.Warn, message);
  }

  /** Writes a line at level `error`. */
  export function error(message: string): void {
    write(Level.Error, message);
  }

  /** Writes a line. Beyond the tenant's `limits.log_bytes` a decision's lines are cut. */
  export function write(level: Level, message: string): void {
    const argument = Argument.of(message);
    host.log(level, argument.pointer, argument.length);
  }
}
