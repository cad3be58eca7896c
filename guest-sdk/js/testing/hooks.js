// Module loader hooks, registered by register.js.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const FILES = { pointsman: '../index.js', 'pointsman/testing': './index.js' };

export function resolve(specifier, context, next) {
  const file = FILES[specifier];
  return file === undefined ? next(specifier, context) : { url: new URL(file, import.meta.url).href, shortCircuit: true };
}
