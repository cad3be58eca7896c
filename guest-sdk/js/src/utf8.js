// UTF-8, since QuickJS has no TextEncoder and no TextDecoder.

/** Bytes, from text or from bytes. A lone surrogate becomes U+FFFD. */
export function bytes(value) {
  return typeof value === 'string' ? encode(value) : value;
}

/** As a TextEncoder does. */
export function encode(text) {
  const bytes = new Uint8Array(text.length * 3);
  let end = 0;
  for (let at = 0; at < text.length; at += 1) {
    let point = text.charCodeAt(at);
    if (point < 0x80) {
      bytes[end++] = point;
      continue;
    }
    if (point >= 0xd800 && point < 0xe000) {
      point = text.codePointAt(at);
      if (point > 0xffff) at += 1;
      else point = 0xfffd;
    }
    if (point < 0x800) {
      bytes[end++] = 0xc0 | point >> 6;
    } else {
      if (point < 0x10000) {
        bytes[end++] = 0xe0 | point >> 12;
      } else {
        bytes[end++] = 0xf0 | point >> 18;
        bytes[end++] = 0x80 | point >> 12 & 0x3f;
      }
      bytes[end++] = 0x80 | point >> 6 & 0x3f;
    }
    bytes[end++] = 0x80 | point & 0x3f;
  }
  return bytes.slice(0, end);
}

/** As a TextDecoder does, but for a byte order mark, which stays: each maximal part that is not UTF-8 becomes U+FFFD. */
export function decode(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at++];
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    let missing = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4) {
      text += '\ufffd';
      continue;
    }
    let point = first & 0x3f >> missing;
    // What the second byte may be keeps overlong forms, surrogates and all beyond U+10FFFF out.
    let lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    let highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    while (missing > 0 && bytes[at] >= lowest && bytes[at] <= highest) {
      point = point << 6 | bytes[at++] & 0x3f;
      [lowest, highest] = [0x80, 0xbf];
      missing -= 1;
    }
    text += missing === 0 ? String.fromCodePoint(point) : '\ufffd';
  }
  return text;
}

/** Decodes `%XX`; a `%` without two hexadecimal digits is kept. */
export function percentDecode(text) {
  if (!text.includes('%')) return text;
  const encoded = encode(text);
  let end = 0;
  for (let at = 0; at < encoded.length; at += 1) {
    const high = encoded[at] === 0x25 ? hexDigit(encoded[at + 1]) : -1;
    const low = high < 0 ? -1 : hexDigit(encoded[at + 2]);
    if (low < 0) {
      encoded[end++] = encoded[at];
    } else {
      encoded[end++] = high << 4 | low;
      at += 2;
    }
  }
  return decode(encoded.subarray(0, end));
}

function hexDigit(byte) {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
