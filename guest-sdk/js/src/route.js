import { pairs } from './headers.js';

export class Route {
  constructor(peer, { removeHeaders = [], setHeaders, addHeaders, onStatus = [], ...options } = {}) {
    this.peer = peer;
    this.authority = undefined;
    this.pathAndQuery = undefined;
    this.removeHeaders = [...removeHeaders];
    this.setHeaders = pairs(setHeaders);
    this.addHeaders = pairs(addHeaders);
    this.attempts = undefined;
    this.onStatus = [...onStatus];
    this.note = undefined;
    Object.assign(this, options);
  }

  static to(peer, options) {
    return new Route(peer, options);
  }
}
