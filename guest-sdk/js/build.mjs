#!/usr/bin/env node
// Builds a module of a router: router.js or router.ts, with all that it imports, becomes one component.
//
//   node pointsman/build.mjs router.js -o router.wasm
//
//   -o, --output FILE          the component
//       --wit DIR              the contract: the files of wit/0.1 (wit/ next to this file, or the repository's)
//       --tools DIR            the folder with the tools' node_modules ($XDG_CACHE_HOME/pointsman/node)
//       --engine NAME          quickjs (the default), quickjs-small or starlingmonkey
//       --no-check             TypeScript is not checked, only translated
//
// Tools are looked for where the router lies, then in the tools' folder.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { bundle } from './build/bundle.mjs';
import { componentize } from './build/componentize.mjs';
import { toolsFolder } from './build/tools.mjs';
import { check } from './build/typescript.mjs';
import { placeOf, setPositions } from './src/positions.js';

const sdk = path.dirname(fileURLToPath(import.meta.url));

async function main() {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      output: { type: 'string', short: 'o' },
      wit: { type: 'string', default: [path.join(sdk, 'wit'), path.join(sdk, '../../wit/0.1')].find(existsSync) },
      tools: { type: 'string', default: toolsFolder },
      engine: { type: 'string', default: 'quickjs' },
      'no-check': { type: 'boolean', default: false },
    },
  });
  const [entry, ...more] = positionals;
  if (entry === undefined || more.length > 0 || options.output === undefined) {
    throw new Error('usage: build.mjs ROUTER -o FILE [--wit DIR] [--tools DIR] [--engine NAME] [--no-check]');
  }
  if (options.wit === undefined) throw new Error(`there is no ${path.join(sdk, 'wit')}: see --wit`);
  const tools = [path.dirname(path.resolve(entry)), path.resolve(options.tools)];
  if (entry.endsWith('.ts') && !options['no-check']) await check(entry, tools);
  const { source, configures, positions } = await bundle(entry, sdk, tools, options.engine);
  const world = configures ? 'configured-router' : 'router';
  let component;
  try {
    component = await componentize(source, { wit: options.wit, world, engine: options.engine, tools });
  } catch (error) {
    setPositions(JSON.stringify(positions));
    throw new Error(located(error.message), { cause: error });
  }
  await writeFile(options.output, component);
}

/** The text of an exception of the router's top level, with the author's lines in place of the bundle's. */
function located(text) {
  return text.replace(/\b(?:componentize-qjs:user|source)\.js:(\d+):(\d+)/g, (place, row, column) => (
    placeOf(Number(row), Number(column)) ?? place
  ));
}

main().catch((error) => {
  console.error(`build: ${error.message}`);
  process.exitCode = 1;
});
