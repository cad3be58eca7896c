import assert from "node:assert/strict";
import { test } from "node:test";

import { Router } from "../pointsman/testing.mjs";

const router = await Router.compile(".");

test("the header leads to the canary", () => {
  router.config = { stable: "127.0.0.1:9101", canary: "127.0.0.1:9102" };
  const canary = router.decide({ url: "https://shop.example/", headers: [["x-canary", "1"]] });
  assert.equal(canary.connect.peer.address, "127.0.0.1:9102");
  assert.equal(router.decide({}).connect.note, "stable");
});

test("a missing address is an error for the operator", () => {
  router.config = {};
  assert.deepEqual(router.decide({}), { error: "config: `/stable` is missing" });
});
