// The router and the SDK, as one ES module whose only imports are the host's.

import path from 'node:path';

import { isQuickJs } from './componentize.mjs';
import { load } from './tools.mjs';

/** `configures`: whether the router exports `configure`. */
export async function bundle(entry, sdk, tools, engine) {
  const { default: esbuild } = await load('esbuild', 'lib/main.js', tools);
  const options = {
    bundle: true,
    write: false,
    metafile: true,
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
  const [{ exports }] = Object.values(metafile.outputs);
  if (!exports.includes('selectPeer')) throw new Error(`${entry} exports no \`selectPeer\``);
  const configures = exports.includes('configure');
  const file = JSON.stringify(path.resolve(entry));
  const lines = [
    `import ${JSON.stringify(path.join(sdk, 'build/globals.js'))};`,
    `import * as exported from ${JSON.stringify(path.join(sdk, 'src/exported.js'))};`,
    `import * as router from ${file};`,
    'export const selectPeer = exported.selectPeer(router.selectPeer);',
  ];
  if (configures) lines.push('export const configure = exported.configure(router.configure);');
  const stdin = { contents: lines.join('\n'), resolveDir: path.dirname(path.resolve(entry)) };
  const { outputFiles: [{ text: source }] } = await run(esbuild, { ...options, stdin });
  return { source, configures };
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
