// The type check of a router in TypeScript.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { find } from './tools.mjs';

/** Checks a router, by the tsconfig.json beside it. */
export async function check(entry, tools) {
  const tsc = find('typescript', 'bin/tsc', tools);
  const project = path.join(path.dirname(path.resolve(entry)), 'tsconfig.json');
  if (!existsSync(project)) throw new Error(`there is no ${project}, by which the types are to be checked`);
  const options = ['--noEmit', '--pretty', 'false', '--project', project];
  const child = spawn(process.execPath, [tsc, ...options], { stdio: ['ignore', 2, 2] });
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw new Error('the types do not fit: see above');
}
