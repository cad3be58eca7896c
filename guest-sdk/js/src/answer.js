// From what a router returns to the WIT's decision, checked.

import { Peer } from './peer.js';
import { places } from './positions.js';
import { response, route } from './records.js';
import { Response } from './response.js';
import { Route } from './route.js';

export const pass = Object.freeze({ tag: 'pass' });

/** The decision in an answer. Throws where it is none. */
export function decision(answer) {
  if (answer instanceof Peer) return { tag: 'connect', val: route(new Route(answer)) };
  if (answer instanceof Route) return { tag: 'connect', val: route(answer) };
  if (answer instanceof Response) return { tag: 'respond', val: response(answer) };
  if (answer === pass) return answer;
  const what = answer instanceof Promise ? 'a Promise, and nothing can be waited for' : String(answer);
  throw new TypeError(`\`selectPeer\` returned ${what}: return a Peer, a Route, a Response or pass`);
}

/** The text of whatever was thrown, and the author's lines that it passed: to the operator's log. */
export function reason(thrown) {
  if (!(thrown instanceof Error)) return String(thrown).toWellFormed();
  // An engine's own error is a mistake in the module, and its kind helps to find it.
  const name = thrown.name === 'Error' ? thrown.constructor.name : thrown.name;
  const kind = thrown.constructor === Error || thrown.code !== undefined ? '' : `${name}: `;
  const cause = thrown.cause === undefined ? '' : `: ${reason(thrown.cause)}`;
  const passed = places(thrown).join(', ');
  return `${kind}${thrown.message}${passed && ` (${passed})`}${cause}`.toWellFormed();
}
