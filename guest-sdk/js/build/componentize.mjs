// From one ES module to a component.

import { flatten } from './flatten.mjs';
import { correct } from './quickjs.mjs';
import { load } from './tools.mjs';

/**
 * The engines. QuickJS is the default: a decision in a fresh instance is more than twice as fast as with StarlingMonkey,
 * and the module loads in a tenth of the time. `quickjs-small` is the same compiled for size: a third smaller, and slower
 * by a fifth.
 */
const ENGINES = {
  quickjs: (source, options) => withQuickJs(source, options, false),
  'quickjs-small': (source, options) => withQuickJs(source, options, true),
  starlingmonkey: withStarlingMonkey,
};

export const isQuickJs = (engine) => engine.startsWith('quickjs');

export async function componentize(source, { engine, ...options }) {
  if (!Object.hasOwn(ENGINES, engine)) {
    throw new Error(`the engine \`${engine}\` is none of ${Object.keys(ENGINES).join(', ')}`);
  }
  return ENGINES[engine](source, options);
}

async function withQuickJs(source, { wit, world, tools }, optSize) {
  const { default: { componentize } } = await load('componentize-qjs', 'index.js', tools);
  const { component } = await componentize({ witPath: wit, world, jsSource: source, stubWasi: false, sync: true, optSize });
  return correct(flatten(component));
}

async function withStarlingMonkey(source, { wit, world, tools }) {
  const { componentize } = await load('@bytecodealliance/componentize-js', 'src/componentize.js', tools);
  const disableFeatures = ['stdio', 'random', 'clocks', 'http', 'fetch-event'];
  const { component } = await componentize(source, { witPath: wit, worldName: world, disableFeatures });
  return component;
}
