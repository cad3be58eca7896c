// From one ES module to a component.

import { correct } from './quickjs.mjs';
import { load } from './tools.mjs';

export async function componentize(source, { wit, world, engine, tools }) {
  switch (engine) {
    case 'quickjs': {
      const { default: { componentize } } = await load('componentize-qjs', 'index.js', tools);
      const options = { witPath: wit, world, jsSource: source, stubWasi: true, sync: true, optSize: !process.env.FAST, disableGc: !!process.env.NOGC };
      const { component } = await componentize(options);
      return correct(component);
    }
    case 'starlingmonkey': {
      const { componentize } = await load('@bytecodealliance/componentize-js', 'src/componentize.js', tools);
      const disableFeatures = ['stdio', 'random', 'clocks', 'http', 'fetch-event'];
      const { component } = await componentize(source, { witPath: wit, worldName: world, disableFeatures });
      return component;
    }
    default:
      throw new Error(`the engine \`${engine}\` is neither quickjs nor starlingmonkey`);
  }
}
