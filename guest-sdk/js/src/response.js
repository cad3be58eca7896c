import { pairs } from './headers.js';

export class Response {
  constructor(status, { headers, body = '', ...unknown } = {}) {
    this.status = status;
    this.headers = pairs(headers);
    this.body = body;
    Object.assign(this, unknown);
  }

  static text(status, text, headers) {
    return typed(status, 'text/plain; charset=utf-8', text, headers);
  }

  static json(status, value, headers) {
    return typed(status, 'application/json', JSON.stringify(value), headers);
  }
}

function typed(status, type, body, headers) {
  return new Response(status, { headers: [...pairs(headers), ['content-type', type]], body });
}
