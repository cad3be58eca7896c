// The router and the SDK, as one ES module whose only imports are the host's.

import { realpathSync } from 'node:fs';
import path from 'node:path';

import { isQuickJs } from './componentize.mjs';
import { positions } from './positions.mjs';
import { load } from './tools.mjs';

/** Stands in the bundle for the text that is only known when the bundle is made. */
const POSITIONS = 'pointsman/src/positions.js: setPositions';

/**
 * `configures`: whether the router exports `configure`. `positions`: see positions.mjs; the bundle has them too.
 */
export async function bundle(router, sdk, tools, engine) {
  // esbuild names files by their real paths.
  const [entry, ownFolder] = [realpathSync(router), realpathSync(sdk)];
  const folder = path.dirname(entry);
  const { default: esbuild } = await load('esbuild', 'lib/main.js', tools);
  const options = {
    bundle: true,
    write: false,
    metafile: true,
    outfile: path.join(folder, 'router.bundle.js'),
    sourcemap: 'external',
    sourcesContent: false,
    format: 'esm',
    target: 'es2023',
    charset: 'utf8',
    conditions: ['pointsman-module'],
    external: ['pointsman:*'],
    define: { QUICKJS: String(isQuickJs(engine)) },
    plugins: [pointsman(sdk)],
    logLevel: 'silent',
  };
  const { metafile } = await run(esbuild, { ...options, entryPoints: [entry] });
  const { exports } = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint !== undefined);
  if (!exports.includes('selectPeer')) throw new Error(`${router} exports no \`selectPeer\``);
  const configures = exports.includes('configure');
  const lines = [
    `import ${JSON.stringify(path.join(sdk, 'build/globals.js'))};`,
    `import * as exported from ${JSON.stringify(path.join(sdk, 'src/exported.js'))};`,
    `import { setPositions } from ${JSON.stringify(path.join(sdk, 'src/positions.js'))};`,
    `import * as router from ${JSON.stringify(entry)};`,
    `setPositions(${JSON.stringify(POSITIONS)});`,
    'export const selectPeer = exported.selectPeer(router.selectPeer);',
  ];
  if (configures) lines.push('export const configure = exported.configure(router.configure);');
  const { outputFiles } = await run(esbuild, { ...options, stdin: { contents: lines.join('\n'), resolveDir: folder } });
  const [map, code] = ['.map', '.js'].map((end) => outputFiles.find((file) => file.path.endsWith(end)).text);
  const found = positions(JSON.parse(map), folder, ownFolder);
  // In one line, and after all of the router: nothing that was located moves.
  const source = code.replace(JSON.stringify(POSITIONS), () => JSON.stringify(JSON.stringify(found)));
  return { source, configures, positions: found };
}

/** `pointsman` is this SDK, whether or not the router's folder has it in its node_modules: one copy, not two. */
function pointsman(sdk) {
  return {
    name: 'pointsman',
    setup(build) {
      build.onResolve({ filter: /^pointsman$/ }, () => ({ path: path.join(sdk, 'index.js') }));
      const errors = [{ text: 'pointsman/testing is for native tests' }];
      build.onResolve({ filter: /^pointsman\/testing$/ }, () => ({ errors }));
    },
  };
}

async function run(esbuild, options) {
  try {
    return await esbuild.build(options);
  } catch (error) {
    if (!error.errors) throw error;
    const messages = await esbuild.formatMessages(error.errors, { kind: 'error' });
    throw new Error(`the router cannot be bundled\n${messages.join('')}`, { cause: error });
  }
}
