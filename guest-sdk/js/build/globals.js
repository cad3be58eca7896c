// What JavaScript programs expect to find, made of what a module has. Natively it is all there.

import { clock, log, random } from 'pointsman';
import { decode, encode } from '../src/utf8.js';

/** The engine's own numbers would be the same in every fresh instance. */
Math.random = () => Number(random.bits() >> 11n) / 2 ** 53;

/** The engine's own clock is not there. */
const EngineDate = Date;
globalThis.Date = class Date extends EngineDate {
  constructor(...parts) {
    super(...(parts.length === 0 ? [clock.nowMs()] : parts));
  }

  static now() {
    return clock.nowMs();
  }
};

const line = (level) => (...parts) => log.write(level, parts.map(String).join(' '));
globalThis.console = {
  trace: line('trace'),
  debug: line('debug'),
  log: line('info'),
  info: line('info'),
  warn: line('warn'),
  error: line('error'),
};

globalThis.TextEncoder ??= class TextEncoder {
  encoding = 'utf-8';

  encode(text = '') {
    return encode(String(text));
  }
};

globalThis.TextDecoder ??= class TextDecoder {
  encoding = 'utf-8';

  constructor(label = 'utf-8') {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`TextDecoder: ${label} is not known here, only utf-8`);
  }

  decode(bytes = new Uint8Array()) {
    const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(bytes) ? bytes : new Uint8Array(bytes);
    return decode(new Uint8Array(buffer, byteOffset, byteLength)).replace(/^\ufeff/, '');
  }
};
