/**
 * Requests, configuration, log and all else that a host offers, for tests with `node --test`, without Wasm and without a
 * host.
 *
 * ```js
 * import assert from 'node:assert/strict';
 * import { test } from 'node:test';
 *
 * import { Peer } from 'pointsman';
 * import * as testing from 'pointsman/testing';
 *
 * import { selectPeer } from './router.js';
 *
 * test('the second upstream follows when the first fails', () => {
 *   testing.config({ upstreams: ['127.0.0.1:9101', '127.0.0.1:9102'] });
 *   const request = testing.get('/cart', { attempts: [testing.refused('127.0.0.1:9101')] });
 *   assert.deepEqual(selectPeer(request).peer, Peer.http('127.0.0.1:9102'));
 * });
 * ```
 *
 * What a test sets stays until {@link reset}; `node --test` runs each file in a process of its own.
 *
 * @packageDocumentation
 */

import type { Attempt, ClientTls, Headers, Request, SelectPeer } from '../index.js';
import type { Level } from '../types/log.js';
import type { Upstream } from '../types/upstreams.js';

export interface RequestOptions {
  headers?: Headers | undefined;
  /** `192.0.2.1` by default. */
  clientIp?: string | undefined;
  /** `test` by default. */
  listener?: string | undefined;
  /** By default, `https` has TLS with the host as its server name. */
  tls?: ClientTls | undefined;
  /** Such as {@link refused}. They are numbered here. */
  attempts?: readonly Attempt[] | undefined;
}

/** `GET` of a URL, `https://shop.example/cart?x=1`, or of a path alone, `/cart`, for a client that names no host. */
export function get(url: string, options?: RequestOptions): Request;

/** The same with another method. */
export function request(method: string, url: string, options?: RequestOptions): Request;

/** The decision as the host would get it, by the names of the WIT in camel case, with all checks that the SDK makes. */
export function decide(selectPeer: SelectPeer, request: Request): Decision;

export type Decision = { tag: 'connect' | 'respond'; val: Record<string, unknown> } | { readonly tag: 'pass' };

/** Sets the content of `config`; `{}` until then. */
export function config(table: object): void;

/** The lines logged since the last call. */
export function logLines(): [level: Level, message: string][];

/** Sets the time, in milliseconds since 1970-01-01 00:00 UTC; 2026-01-01 until then. */
export function clock(ms: number): void;

/** Sets what `random.bits` gives next; after these, it gives 0. */
export function random(values: Iterable<bigint>): void;

/** Sets the statistics of an upstream. */
export function upstream(address: string, figures: Partial<Omit<Upstream, 'address'>>): void;

/** Sets the members of a group: their addresses, or more. */
export function group(name: string, members: readonly (string | (Partial<Upstream> & { address: string }))[]): void;

/** Forgets all that was set here, logged, or kept in `shared`. */
export function reset(): void;

/** An attempt that failed because nothing listened on the address. */
export function refused(address: string): Attempt;

/** An attempt that failed because the connection timed out. */
export function timedOut(address: string): Attempt;

/** An attempt that failed since the upstream closed the connection instead of answering. */
export function closed(address: string): Attempt;

/** An attempt that failed since the upstream answered with this status. */
export function status(address: string, code: number): Attempt;
