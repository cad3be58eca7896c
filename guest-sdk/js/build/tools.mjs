// Where the build's tools are.

import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** Where they are if a project has none of its own. */
export const toolsFolder = path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'pointsman/node');

/** The packages to install for each tool. host/src/cli/build/javascript.rs has the same. */
const PACKAGES = {
  esbuild: 'esbuild@0.28.2',
  typescript: 'typescript@7.0.2',
  'componentize-qjs': 'componentize-qjs@0.4.5',
  '@bytecodealliance/componentize-js':
    '@bytecodealliance/componentize-js@0.23.0 @bytecodealliance/preview2-shim@0.25.0',
};

/** A file of a package, in the nearest node_modules above one of the folders. */
export function find(name, file, folders) {
  for (const folder of folders) {
    for (let above = folder; ; above = path.dirname(above)) {
      const found = path.join(above, 'node_modules', name, file);
      if (existsSync(found)) return found;
      if (above === path.dirname(above)) break;
    }
  }
  throw new Error(`the package ${name} is missing: npm install --prefix ${folders.at(-1)} ${PACKAGES[name]}`);
}

/** The same, loaded. */
export async function load(name, file, folders) {
  return import(pathToFileURL(find(name, file, folders)));
}
