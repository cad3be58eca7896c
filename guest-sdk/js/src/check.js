// What a value must be before it crosses to the host. An engine would trap, or make something of it; so it is checked
// here, and the error names the field.

import { toU32 } from '#host';

import { encode } from './utf8.js';

export function text(value, path) {
  if (typeof value !== 'string') throw wrong(value, path, 'a text');
  return value.toWellFormed();
}

export function bytes(value, path) {
  if (typeof value === 'string') return encode(value);
  if (!(value instanceof Uint8Array)) throw wrong(value, path, 'a text or a Uint8Array');
  return value;
}

export function flag(value, path) {
  if (typeof value !== 'boolean') throw wrong(value, path, 'true or false');
  return value;
}

const whole = (most) => (value, path) => {
  if (!Number.isInteger(value) || value < 0 || value > most) throw wrong(value, path, `a whole number up to ${most}`);
  return value;
};

export const u8 = whole(0xff);
export const u16 = whole(0xffff);
const whole32 = whole(0xffffffff);
export const u32 = (value, path) => toU32(whole32(value, path));

export function s64(value, path) {
  if (BigInt.asIntN(64, value) !== value) throw wrong(value, path, 'a signed 64-bit number');
  return value;
}

export const oneOf = (...names) => (value, path) => {
  if (!names.includes(value)) throw wrong(value, path, `one of ${names.join(', ')}`);
  return value;
};

export const optional = (check) => (value, path) => (value === undefined ? undefined : check(value, path));

export const otherwise = (preset, check) => (value, path) => (value === undefined ? preset : check(value, path));

export const listOf = (check) => (value, path) => {
  if (!Array.isArray(value)) throw wrong(value, path, 'a list');
  return value.map((item, index) => check(item, `${path}[${index}]`));
};

/** An object with some of these fields and no other. */
export function record(fields) {
  const names = Object.keys(fields);
  return (value, path) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw wrong(value, path, 'an object');
    for (const name in value) {
      if (!(name in fields)) throw new TypeError(`${path} has no field \`${name}\``);
    }
    const checked = {};
    for (const name of names) checked[name] = fields[name](value[name], `${path}.${name}`);
    return checked;
  };
}

function wrong(value, path, expected) {
  return new TypeError(`${path} is ${show(value)}, not ${expected}`);
}

function show(value) {
  if (typeof value === 'string') return `\`${value}\``;
  if (typeof value === 'function') return 'a function';
  if (value === null || typeof value !== 'object') return String(value);
  return Array.isArray(value) ? 'a list' : `an object (${value.constructor?.name})`;
}
