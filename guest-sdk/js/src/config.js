import { config as table } from '#host';

export function json() {
  return table.json();
}

export function get(pointer) {
  return table.get(pointer);
}

export function value(pointer) {
  const json = table.get(pointer);
  return json === undefined ? undefined : JSON.parse(json);
}

export function text(pointer, otherwise) {
  return table.getText(pointer) ?? given(pointer, 'a text', otherwise, undefined);
}

export function texts(pointer, otherwise) {
  const list = given(pointer, 'a list', otherwise, Array.isArray);
  const wrong = list.findIndex((item) => typeof item !== 'string');
  if (wrong >= 0) throw mistake(`${pointer}/${wrong}`, JSON.stringify(list[wrong]), 'a text');
  return list;
}

export function number(pointer, otherwise) {
  return given(pointer, 'a number', otherwise, (value) => typeof value === 'number');
}

export function flag(pointer, otherwise = false) {
  return given(pointer, 'true or false', otherwise, (value) => typeof value === 'boolean');
}

/** The value if it is of the right type; `isRight` is absent if it is known not to be. */
function given(pointer, type, otherwise, isRight) {
  const json = table.get(pointer);
  if (json === undefined) {
    if (otherwise === undefined) throw new Error(`config: \`${pointer}\` is missing`);
    return otherwise;
  }
  const value = isRight && JSON.parse(json);
  if (!isRight?.(value)) throw mistake(pointer, json, type);
  return value;
}

function mistake(pointer, json, type) {
  return new Error(`config: \`${pointer}\` is \`${json}\`, not ${type}`);
}
