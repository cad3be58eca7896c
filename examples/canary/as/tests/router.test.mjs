import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Router } from "../../../../guest-sdk/as/testing.mjs";

const router = await Router.compile(fileURLToPath(new URL("..", import.meta.url)));

function isCanary(percent, request) {
  router.config = { stable: "127.0.0.1:9101", canary: "127.0.0.1:9102", percent };
  const { peer, note } = router.decide(request).connect;
  assert.equal(peer.address, note === "canary" ? "127.0.0.1:9102" : "127.0.0.1:9101");
  return note === "canary";
}

const withSession = (n) => ({ headers: [["cookie", `theme=dark; session=${n}`]] });
const visitors = Array.from({ length: 1000 }, (_, n) => withSession(n));

test("the share is as configured, and a larger one keeps those who were in", () => {
  const tenth = visitors.filter((visitor) => isCanary(10, visitor));
  assert.ok(tenth.length > 60 && tenth.length < 140, `${tenth.length} of 1,000`);
  assert.ok(tenth.every((visitor) => isCanary(20, visitor)));
});

test("the header chooses outright", () => {
  assert.ok(isCanary(0, { headers: [["x-canary", "always"]] }));
  assert.ok(!isCanary(100, { headers: [["x-canary", "never"]] }));
});

test("without a cookie the address decides", () => {
  const canaries = visitors.slice(0, 256).filter((_, n) => isCanary(50, { clientIp: `192.0.2.${n}` }));
  assert.ok(canaries.length > 64 && canaries.length < 192, `${canaries.length} of 256`);
});

test("a missing percentage is named", () => {
  router.config = { stable: "127.0.0.1:9101", canary: "127.0.0.1:9102" };
  assert.deepEqual(router.decide({}), { error: "config: `/percent` is missing" });
});
