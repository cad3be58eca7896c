/**
 * The module's configuration: its `config` table.
 *
 * A value is named by a JSON Pointer (RFC 6901): `/percent`, `/upstreams/0/address`. A value that is missing, with no
 * other given for it, is an error, and a value of the wrong type always is.
 */

/** The whole table as a JSON object. */
export function json(): string;

/** One value, as JSON. Undefined if it is absent. */
export function get(pointer: string): string | undefined;

/** One value, parsed. Undefined if it is absent. */
export function value(pointer: string): unknown;

/** A text, or `otherwise` if the operator gave none. */
export function text(pointer: string, otherwise?: string): string;

/** A list of texts, or `otherwise` if the operator gave none. */
export function texts(pointer: string, otherwise?: string[]): string[];

/** A number, or `otherwise` if the operator gave none. */
export function number(pointer: string, otherwise?: number): number;

/** `true` or `false`; `otherwise`, which is `false` by default, if the operator gave neither. */
export function flag(pointer: string, otherwise?: boolean): boolean;
