//! Write a Pointsman routing module in AssemblyScript: see README.md.

export { NONE } from "./src/abi";
export { Answer, fail, hasFailed, pass } from "./src/answer";
export { clock, random } from "./src/chance";
export { config } from "./src/config";
export { hash } from "./src/hash";
export { Header } from "./src/header";
export { Level, log } from "./src/log";
export {
  Alpn, BindTo, Choice, ConnectProxy, HttpOptions, Peer, PortRange, Quirks, SocketOptions, TcpKeepalive, Timeouts, Tls,
  Upgrade, Verify,
} from "./src/peer";
export { Attempt, ClientTls, Failure, Pair, Request, Stage } from "./src/request";
export { Response } from "./src/response";
export { RetryPolicy, Rewrite, Route } from "./src/route";
export { Counter, SharedError, Sum, Swap, shared } from "./src/shared";
export { bytes, text } from "./src/text";
export { Health, Upstream, upstreams } from "./src/upstreams";
