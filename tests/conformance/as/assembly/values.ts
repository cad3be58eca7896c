// How parameters and lines are read and written.

import { Pair, bytes, fail } from "pointsman";

export function bad(param: Pair): void {
  fail("bad value for " + param.name + ": " + param.value);
}

// A number of digits only, up to `most`; otherwise the decision fails.
export function number(param: Pair, digits: string, most: u64): u64 {
  let value: u64 = 0;
  let isNumber = digits.length > 0;
  for (let index = 0; index < digits.length && isNumber; index++) {
    const digit = u64(digits.charCodeAt(index)) - 0x30;
    isNumber = digit < 10 && (value < most / 10 || (value == most / 10 && digit <= most % 10));
    value = value * 10 + digit;
  }
  if (!isNumber) bad(param);
  return value;
}

export function signedNumber(param: Pair, digits: string): i64 {
  if (!digits.startsWith("-")) return i64(number(param, digits, i64.MAX_VALUE));
  return -i64(number(param, digits.substring(1), u64(1) << 63));
}

// The parts before and after the first separator. Without one the decision fails.
export function split(param: Pair, separator: string): StaticArray<string> {
  const at = param.value.indexOf(separator);
  if (at < 0) bad(param);
  return [param.value.substring(0, max(at, 0)), param.value.substring(at + 1)];
}

// Text and bytes, one after another.
export class Lines {
  private buffer: Uint8Array = new Uint8Array(256);
  private length: i32 = 0;

  add(text: string): Lines {
    return this.addBytes(bytes(text));
  }

  addBytes(more: Uint8Array): Lines {
    const length = this.length + more.length;
    if (length > this.buffer.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(this.buffer);
      this.buffer = larger;
    }
    this.buffer.set(more, this.length);
    this.length = length;
    return this;
  }

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }
}
