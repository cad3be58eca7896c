//! Text out of bytes: UTF-8, and the percent-encoding of paths and queries.

/** The bytes from `at`, as text. Each maximal part that is not UTF-8 becomes U+FFFD. */
export function decodeUtf8(at: usize, length: usize): string {
  if (length == 0) return "";
  // UTF-16 has at most as many units as UTF-8 has bytes.
  const units = heap.alloc(length << 1);
  const end = at + length;
  let to = units;
  while (at < end) {
    const first: u32 = load<u8>(at++);
    if (first < 0x80) {
      store<u16>(to, u16(first));
      to += 2;
      continue;
    }
    // How many bytes follow, and which ones may come first among them (Unicode, table 3-7).
    let more = 0;
    let low: u32 = 0x80;
    let high: u32 = 0xbf;
    let code: u32 = 0;
    if (first >= 0xc2 && first <= 0xdf) {
      more = 1;
      code = first & 0x1f;
    } else if (first >= 0xe0 && first <= 0xef) {
      more = 2;
      code = first & 0x0f;
      if (first == 0xe0) low = 0xa0;
      if (first == 0xed) high = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
      more = 3;
      code = first & 0x07;
      if (first == 0xf0) low = 0x90;
      if (first == 0xf4) high = 0x8f;
    }
    let isValid = more > 0;
    while (more > 0) {
      const next: u32 = at < end ? load<u8>(at) : 0;
      if (next < low || next > high) {
        isValid = false;
        break;
      }
      code = (code << 6) | (next & 0x3f);
      low = 0x80;
      high = 0xbf;
      at++;
      more--;
    }
    if (!isValid) code = 0xfffd;
    if (code < 0x10000) {
      store<u16>(to, u16(code));
      to += 2;
    } else {
      store<u16>(to, u16(0xd7c0 + (code >> 10)));
      store<u16>(to, u16(0xdc00 + (code & 0x3ff)), 2);
      to += 4;
    }
  }
  return String.UTF16.decodeUnsafe(units, to - units);
}

/** The text as UTF-8. A lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): ArrayBuffer {
  return String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE);
}

/** The same as an array. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.wrap(encodeUtf8(text));
}

/** The bytes as text. Invalid UTF-8 becomes U+FFFD. */
export function text(bytes: Uint8Array): string {
  return decodeUtf8(bytes.dataStart, bytes.byteLength);
}

/**
 * `%XX` becomes the byte XX, and then the bytes become text. A `%` without two hexadecimal digits stays. With
 * `plusIsSpace`, `+` is a space.
 */
export function decodePercent(encoded: string, plusIsSpace: bool): string {
  if (!encoded.includes("%") && !(plusIsSpace && encoded.includes("+"))) return encoded;
  const from = bytes(encoded);
  const to = new Uint8Array(from.length);
  let length = 0;
  for (let at = 0; at < from.length; at++, length++) {
    let byte = i32(from[at]);
    if (byte == 0x2b && plusIsSpace) byte = 0x20;
    else if (byte == 0x25 && at + 2 < from.length) {
      const high = hexDigit(from[at + 1]);
      const low = hexDigit(from[at + 2]);
      if (high >= 0 && low >= 0) {
        byte = (high << 4) | low;
        at += 2;
      }
    }
    to[length] = u8(byte);
  }
  return decodeUtf8(to.dataStart, length);
}

function hexDigit(byte: i32): i32 {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
