// Module loader hooks, registered by register.js.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { load as loadTool, toolsFolder } from '../build/tools.mjs';

const FILES = { pointsman: '../index.js', 'pointsman/testing': './index.js' };

/** `pointsman` is the folder in which this file lies. */
export function resolve(specifier, context, next) {
  const file = FILES[specifier];
  return file === undefined ? next(specifier, context) : { url: new URL(file, import.meta.url).href, shortCircuit: true };
}

/** TypeScript loses its types; newer versions of Node do that themselves. */
export async function load(url, context, next) {
  if (!url.endsWith('.ts') || process.features.typescript) return next(url, context);
  const file = fileURLToPath(url);
  const { default: esbuild } = await loadTool('esbuild', 'lib/main.js', [path.dirname(file), toolsFolder]);
  const { code } = await esbuild.transform(await readFile(file, 'utf8'), {
    loader: 'ts', target: 'node20', sourcefile: file, sourcemap: 'inline',
  });
  return { format: 'module', source: code, shortCircuit: true };
}
