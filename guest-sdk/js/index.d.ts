/**
 * Write Pointsman routing modules in JavaScript and TypeScript.
 *
 * A module exports `selectPeer`, a function from a {@link Request} to a {@link Peer}, a {@link Route}, a
 * {@link Response} or {@link pass}. An exception is its refusal to decide: the text goes to the operator's log, never
 * to the client.
 *
 * ```js
 * import { Peer, Route, config } from 'pointsman';
 *
 * export function selectPeer(request) {
 *   const side = request.path.startsWith('/api/') ? 'api' : 'web';
 *   return Route.to(Peer.http(config.text(`/${side}`)), { note: side });
 * }
 * ```
 *
 * The host calls it for every request, and again after each attempt that failed ({@link Request.attempts}). By default
 * every call starts in a fresh instance: what a call writes to a variable of the module is not seen by a later one.
 * Nothing can be waited for: there are no promises and no timers.
 *
 * A module that makes something of its configuration also exports `configure`. It is called before the first decision, and
 * the resulting state is the one in which every decision starts (README.md says how often the host has to call it):
 *
 * ```js
 * const sites = new Map();
 *
 * export function configure(config) {
 *   for (const [host, address] of Object.entries(config.sites)) sites.set(host, Peer.http(address));
 * }
 * ```
 *
 * `configure` may use {@link log}, {@link config}, {@link clock} and {@link random}, but neither {@link shared} nor
 * {@link upstreams}. An exception refuses the module.
 *
 * What the host makes of each field, and which values it refuses, is said in the WIT (`wit/0.1/types.wit`). A value of
 * the wrong type, and an unknown field, is an error that names the field.
 *
 * @packageDocumentation
 */

import type { Peer, Request, Response, Route } from './types/records.js';

export * from './types/records.js';
export * as clock from './types/clock.js';
export * as config from './types/config.js';
export * as hash from './types/hash.js';
export * as log from './types/log.js';
export * as random from './types/random.js';
export * as shared from './types/shared.js';
export * as upstreams from './types/upstreams.js';

/** No opinion: the tenant's next module decides, and after the last one the client gets the tenant's failure answer. */
export declare const pass: { readonly tag: 'pass' };

/** The values that a router may return. */
export type Answer = Peer | Route | Response | typeof pass;

/** The type of the export `selectPeer`. */
export type SelectPeer = (request: Request) => Answer;

/**
 * The type of the export `configure`. It is given the module's configuration: the operator's table as an object, or
 * what {@link config.value | config.value('')} gives.
 *
 * `Configure<{ sites: Record<string, string> }>` is for a table of that shape. Nobody checks it: a wrong value of the
 * operator's surfaces where it is used.
 */
export type Configure<Config = Record<string, unknown>> = (config: Config) => void;
