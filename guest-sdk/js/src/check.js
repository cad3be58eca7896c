// What a value must be before it crosses to the host. An engine would trap, or make something of it; so it is checked
// here, and the error names the field.

import { toU32 } from '#host';

import { encode } from './utf8.js';

/** Its message begins with what is said of the value; each object around the value puts its field in front. */
class Mistake extends TypeError {
  within(place) {
    this.message = place + this.message;
    return this;
  }
}

/** Checks what is called so in errors. */
export function named(name, check, value) {
  try {
    return check(value);
  } catch (error) {
    throw error instanceof Mistake ? error.within(name) : error;
  }
}

export function text(value) {
  if (typeof value !== 'string') throw wrong(value, 'a text');
  return value.toWellFormed();
}

export function bytes(value) {
  if (typeof value === 'string') return encode(value);
  if (!(value instanceof Uint8Array)) throw wrong(value, 'a text or a Uint8Array');
  return value;
}

export function flag(value) {
  if (typeof value !== 'boolean') throw wrong(value, 'true or false');
  return value;
}

const whole = (most) => (value) => {
  if (!Number.isInteger(value) || value < 0 || value > most) throw wrong(value, `a whole number up to ${most}`);
  return value;
};

const whole32 = whole(0xffffffff);

export const u8 = whole(0xff);
export const u16 = whole(0xffff);
export const u32 = (value) => toU32(whole32(value));

/** A whole number, or a BigInt. */
export function s64(value) {
  const amount = Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof amount !== 'bigint' || BigInt.asIntN(64, amount) !== amount) throw wrong(value, 'a signed 64-bit number');
  return amount;
}

export const oneOf = (...names) => (value) => {
  if (!names.includes(value)) throw wrong(value, `one of ${names.join(', ')}`);
  return value;
};

export const listOf = (check) => (value) => {
  if (!Array.isArray(value)) throw wrong(value, 'a list');
  let at;
  try {
    const checked = [];
    for (at = 0; at < value.length; at += 1) checked.push(check(value[at]));
    return checked;
  } catch (error) {
    throw error instanceof Mistake ? error.within(`[${at}]`) : error;
  }
};

export const pairOf = (first, second) => (value) => {
  if (!Array.isArray(value) || value.length !== 2) throw wrong(value, 'a pair');
  return [named('[0]', first, value[0]), named('[1]', second, value[1])];
};

/** A field that may be absent, and then is as preset. */
export const optional = (check, preset) => ({ check, preset, isOptional: true });

/** An object with some of these fields and no other. */
export function record(fields) {
  const list = Object.entries(fields).map(([name, field]) => (
    typeof field === 'function' ? { name, check: field, preset: undefined, isOptional: false } : { name, ...field }
  ));
  return (value) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw wrong(value, 'an object');
    for (const name in value) {
      if (!(name in fields)) throw new Mistake(` has no field \`${name}\``);
    }
    const checked = {};
    let field;
    try {
      for (field of list) {
        const given = value[field.name];
        checked[field.name] = given === undefined && field.isOptional ? field.preset : field.check(given);
      }
    } catch (error) {
      throw error instanceof Mistake ? error.within(`.${field.name}`) : error;
    }
    return checked;
  };
}

function wrong(value, expected) {
  return new Mistake(` is ${show(value)}, not ${expected}`);
}

function show(value) {
  if (typeof value === 'string') return `\`${value}\``;
  if (typeof value === 'function') return 'a function';
  if (value === null || typeof value !== 'object') return String(value);
  return Array.isArray(value) ? 'a list' : 'an object';
}
