//! The canonical ABI of the component model, for values in memory. A `Writer` and a `Reader` walk through a record,
//! field by field in the WIT's order, and come to each at its alignment.

import { bytes, decodeUtf8, encodeUtf8 } from "./text";

/** Stands for an optional number that is not there. */
export const NONE: i64 = -1;

/** Writes values one after another. */
@final
export class Writer {
  constructor(public at: usize) {}

  align(alignment: usize): void {
    this.at = (this.at + alignment - 1) & ~(alignment - 1);
  }

  u8(value: u32): void {
    store<u8>(this.at++, u8(value));
  }

  bool(value: bool): void {
    this.u8(value ? 1 : 0);
  }

  u16(value: u32): void {
    this.align(2);
    store<u16>(this.at, u16(value));
    this.at += 2;
  }

  u32(value: u32): void {
    this.align(4);
    store<u32>(this.at, value);
    this.at += 4;
  }

  list(pointer: usize, length: i32): void {
    // Nothing may begin beyond the end of the memory, not even an empty list.
    this.u32(length == 0 ? 8 : u32(pointer));
    this.u32(length);
  }

  string(value: string): void {
    const utf8 = encodeUtf8(value);
    this.list(changetype<usize>(utf8), utf8.byteLength);
  }

  bytes(value: Uint8Array): void {
    this.list(value.dataStart, value.byteLength);
  }

  /** The first byte of an option whose value begins at a multiple of 4, and then that value's beginning. */
  some4(isSome: bool): void {
    this.align(4);
    this.bool(isSome);
    this.align(4);
  }

  optionString(value: string | null): void {
    this.some4(value !== null);
    if (value !== null) this.string(value);
    else this.at += 8;
  }

  /** `NONE`, or a number; one beyond the type's range becomes the largest, which the host refuses. */
  optionU32(value: i64): void {
    this.some4(value != NONE);
    this.u32(clamp(value, u32.MAX_VALUE));
  }

  optionU8(value: i64): void {
    this.bool(value != NONE);
    this.u8(clamp(value, u8.MAX_VALUE));
  }
}

function clamp(value: i64, most: u32): u32 {
  return value < 0 || value > i64(most) ? most : u32(value);
}

/** Reads values one after another. */
@final
export class Reader {
  constructor(public at: usize) {}

  align(alignment: usize): void {
    this.at = (this.at + alignment - 1) & ~(alignment - 1);
  }

  u8(): u8 {
    return load<u8>(this.at++);
  }

  bool(): bool {
    return this.u8() != 0;
  }

  u16(): u16 {
    this.align(2);
    this.at += 2;
    return load<u16>(this.at - 2);
  }

  u32(): u32 {
    this.align(4);
    this.at += 4;
    return load<u32>(this.at - 4);
  }

  string(): string {
    const at = this.u32();
    return decodeUtf8(at, this.u32());
  }

  bytes(): Uint8Array {
    const at = this.u32();
    const copy = new Uint8Array(this.u32());
    memory.copy(copy.dataStart, at, copy.byteLength);
    return copy;
  }

  optionString(): string | null {
    const isSome = this.some4();
    if (isSome) return this.string();
    this.at += 8;
    return null;
  }

  optionBytes(): Uint8Array | null {
    const isSome = this.some4();
    if (isSome) return this.bytes();
    this.at += 8;
    return null;
  }

  optionU32(): i64 {
    const isSome = this.some4();
    const value = this.u32();
    return isSome ? i64(value) : NONE;
  }

  optionU16(): i64 {
    this.align(2);
    const isSome = this.bool();
    const value = this.u16();
    return isSome ? i64(value) : NONE;
  }

  private some4(): bool {
    this.align(4);
    const isSome = this.bool();
    this.align(4);
    return isSome;
  }
}

/** Where the host leaves what a function returns, until the next call: room for the largest, `option<client-tls>`. */
export const AREA: usize = memory.data(48, 8);

/** A text as an argument of a host function. */
@final
export class Argument {
  readonly pointer: usize;
  readonly length: i32;

  constructor(private value: Uint8Array) {
    this.length = value.byteLength;
    this.pointer = value.byteLength == 0 ? 8 : value.dataStart;
  }

  static of(text: string): Argument {
    return new Argument(bytes(text));
  }
}
