// Write Pointsman routing modules in JavaScript. What is public, with its documentation, is in index.d.ts.

export { pass } from './src/answer.js';
export * as clock from './src/clock.js';
export * as config from './src/config.js';
export * as hash from './src/hash.js';
export * as log from './src/log.js';
export { Peer } from './src/peer.js';
export * as random from './src/random.js';
export { Request } from './src/request.js';
export { Response } from './src/response.js';
export { Route } from './src/route.js';
export * as shared from './src/shared.js';
export * as upstreams from './src/upstreams.js';
