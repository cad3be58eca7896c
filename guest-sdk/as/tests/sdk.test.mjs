// What a router sees and what becomes of its answers, by the routers of this repository: `node --test tests/`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { decided } from "../testing/types.mjs";
import { Router, failed } from "../testing.mjs";

const at = (folder) => fileURLToPath(new URL(`../../../${folder}`, import.meta.url));
const job = await Router.compile(at("tests/conformance/as"));
const canary = await Router.compile(at("examples/canary/as"));

/** What the conformance job answers, line by line. */
function lines(request) {
  const decision = job.decide(request);
  assert.equal(decision.error, undefined);
  return new TextDecoder().decode(decision.respond.body).trimEnd().split("\n");
}

/** The lines that begin with this word, without it. */
const echoed = (word, request) =>
  lines({ ...request, url: request.url ?? "/echo" })
    .filter((line) => line.startsWith(`${word} `))
    .map((line) => line.slice(word.length + 1));

test("the area of a decision has the size that the canonical ABI requires", () => {
  assert.equal(decided.size, 336);
});

test("hashes are those of every other language", () => {
  job.config = { upstreams: ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"] };
  const rank = "10.0.0.1:80,10.0.0.4:80,10.0.0.2:80,10.0.0.3:80";
  assert.deepEqual(lines({ url: "/hash?key=visitor-1" }), [`b7db4eb3b829e88d 718 ${rank}`]);
  assert.match(lines({ url: "/hash?key=" })[0], /^ef46db3751d8e999 /);
  assert.match(lines({ url: "/hash?key=a" })[0], /^d24ec4f1a98c6e5b /);
});

test("the host is the authority without port", () => {
  assert.deepEqual(echoed("host", { url: "http://shop.example:8080/echo" }), ["shop.example"]);
  assert.deepEqual(echoed("host", { url: "http://[2001:db8::1]/echo" }), ["[2001:db8::1]"]);
  assert.deepEqual(echoed("host", { url: "http://[2001:db8::1]:80/echo" }), ["[2001:db8::1]"]);
});

test("segments and parameters are decoded after they are split", () => {
  const url = "/echo//a%2Fb/caf%C3%A9/%FF/100%/a+b?na%6De=caf%C3%A9+noir&&a=b=c?d&flag&%zz=%E2%82x%F0%9F%8D%8E";
  assert.deepEqual(echoed("segment", { url }), ["echo", "a/b", "café", "\ufffd", "100%", "a+b"]);
  assert.deepEqual(echoed("param", { url }), ["name=café noir", "a=b=c?d", "flag=", "%zz=\ufffdx🍎"]);
});

test("cookies of all headers are read", () => {
  const headers = [
    ["Cookie", "a=1;b = 2; c=x=y; flag"],
    ["cookie", "d=4; a=5"],
  ];
  assert.deepEqual(echoed("cookie", { headers }), ["a=1", "b=2", "c=x=y", "d=4", "a=5"]);
});

test("a plain peer leaves everything open, and https checks the certificate in full", () => {
  const { peer, retry, rewrite, note } = job.decide({ url: "/peer?address=a:1" }).connect;
  const timeouts = { connectMs: null, totalConnectMs: null, readMs: null, writeMs: null, idleMs: null };
  const http = {
    ...{ alpn: "h1", maxH2Streams: null, h2PingIntervalMs: null, h2StreamWindow: null, h2ConnectionWindow: null },
    ...{ upgrade: "websocket", quirks: [] },
  };
  const socket = { dscp: null, tcpRecvBuf: null, tcpFastOpen: false };
  const none = { tls: null, connectProxy: null, bindTo: null, tcpKeepalive: null, isolation: null };
  assert.deepEqual(peer, { address: "a:1", timeouts, http, socket, ...none });
  assert.deepEqual([retry, note], [{ attempts: null, onStatus: [] }, null]);
  assert.deepEqual(Object.values(rewrite), [null, null, [], [], []]);
  assert.equal(job.decide({ url: "/peer?tls=" }).connect.peer.tls.verify, "full");
});

test("numbers keep their values to the edges of their types", () => {
  const { peer } = job.decide({ url: "/peer?connect-ms=0&idle-ms=4294967295&dscp=255&bind-ports=1-65535" }).connect;
  assert.deepEqual([peer.timeouts.connectMs, peer.timeouts.idleMs, peer.socket.dscp], [0, 4294967295, 255]);
  assert.deepEqual(peer.bindTo, { address: null, portRange: { first: 1, last: 65535 }, fallback: false });
});

test("a missing value of the configuration is named, and so is one of the wrong type", () => {
  canary.config = {};
  assert.deepEqual(canary.decide({}), { error: "config: `/percent` is missing" });
  canary.config = { percent: "10" };
  assert.deepEqual(canary.decide({}), { error: 'config: `/percent` is `"10"`, not a number' });
  canary.config = { percent: 100, canary: 7 };
  assert.deepEqual(canary.decide({}), { error: "config: `/canary` is `7`, not a text" });
});

test("a refused configuration is an error", () => {
  job.config = { why: "refuse" };
  assert.throws(() => job.decide({ url: "/pass" }), /refused as told/);
  job.config = {};
  assert.deepEqual(job.decide({ url: "/pass" }), { pass: true });
});

test("attempts and log lines pass", () => {
  job.config = { upstreams: ["a:1", "b:1"] };
  job.log = [];
  const { connect } = job.decide({ url: "/failover", attempts: [failed("a:1", "proxy-refused", "connect-proxy")] });
  assert.deepEqual([connect.peer.address, connect.retry.onStatus], ["b:1", [502, 503]]);
  assert.deepEqual(job.log, [["warn", "a:1 failed: proxy-refused"]]);
});

test("the memory of an instance that is used again does not grow, and what configure made stays", () => {
  const url = `/echo?x=${"long%20".repeat(300)}`;
  const [, once] = job.decideAgain({ url }, 2);
  const [decision, often] = job.decideAgain({ url: `/configured?${url}` }, 2_000);
  assert.equal(new TextDecoder().decode(decision.respond.body), `configured ${JSON.stringify(job.config).length} 1\n`);
  assert.ok(often <= once, `${once} bytes grew to ${often}`);
});
