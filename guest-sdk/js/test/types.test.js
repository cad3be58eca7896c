import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import * as pointsman from 'pointsman';
import * as testing from 'pointsman/testing';

const declared = async (file) => {
  const text = await readFile(new URL(`../${file}`, import.meta.url), 'utf8');
  const names = [...text.matchAll(/^export (?:declare )?(?:function|class|const) (\w+)/gm)].map(([, name]) => name);
  const others = [...text.matchAll(/^export \{ \w+ as (\w+) \}|^export \* as (\w+)/gm)].map(([, name, space]) => name ?? space);
  return [...names, ...others].sort();
};

test('the types declare everything that exists', async () => {
  for (const name of ['clock', 'config', 'hash', 'log', 'random', 'shared', 'upstreams']) {
    assert.deepEqual(await declared(`types/${name}.d.ts`), Object.keys(pointsman[name]).sort(), name);
  }
  const own = [...(await declared('index.d.ts')), ...(await declared('types/records.d.ts'))].sort();
  assert.deepEqual(own, Object.keys(pointsman).sort());
  assert.deepEqual(await declared('testing/index.d.ts'), Object.keys(testing).sort());
});
