import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Router, failed } from "../../../../guest-sdk/as/testing.mjs";

const router = await Router.compile(fileURLToPath(new URL("..", import.meta.url)));
router.config = { upstreams: ["127.0.0.1:9101", "127.0.0.1:9102"] };

const refused = failed("127.0.0.1:9101", "refused");
const answered = failed("127.0.0.1:9102", "status", "receive", { status: 503, requestSent: true });

test("the first upstream is preferred", () => {
  const { peer, retry } = router.decide({}).connect;
  assert.deepEqual([peer.address, peer.timeouts.connectMs], ["127.0.0.1:9101", 500]);
  assert.deepEqual(retry.onStatus, [502, 503]);
  assert.deepEqual(router.log, []);
});

test("the second follows when the first fails", () => {
  assert.equal(router.decide({ attempts: [refused] }).connect.peer.address, "127.0.0.1:9102");
  assert.deepEqual(router.log.splice(0), [["warn", "127.0.0.1:9101 failed: refused"]]);
});

test("when all have failed the module answers", () => {
  const { status, headers, body } = router.decide({ attempts: [refused, answered] }).respond;
  const text = (bytes) => new TextDecoder().decode(bytes);
  assert.equal(status, 503);
  assert.deepEqual(
    headers.map(({ name, value }) => [name, text(value)]),
    [
      ["retry-after", "30"],
      ["content-type", "text/plain; charset=utf-8"],
    ],
  );
  assert.match(text(body), /try again in half a minute/);
});
