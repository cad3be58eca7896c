// What the host calls: the build's entry wraps a router's functions in these.

import { decision, reason } from './answer.js';
import { Request } from './request.js';

export const selectPeer = (router) => (request) => telling(() => decision(router(new Request(request))));

export const configure = (router) => (config) => telling(() => {
  const answer = router(JSON.parse(config));
  if (answer instanceof Promise) throw new TypeError('`configure` returned a Promise, and nothing can be waited for');
});

/** Both engines make the export's error of a text that is thrown. */
function telling(act) {
  try {
    return act();
  } catch (thrown) {
    throw reason(thrown);
  }
}
