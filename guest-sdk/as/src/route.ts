//! Where a request goes, and how it is changed.

import { NONE, Writer } from "./abi";
import { Answer } from "./answer";
import { Header } from "./header";
import { Peer } from "./peer";

/** Where a request goes, and how it is changed. */
@final
export class Route extends Answer {
  rewrite: Rewrite = new Rewrite();
  retry: RetryPolicy = new RetryPolicy();
  /** A remark for the access log, such as the name of the rule that matched. At most 256 bytes. */
  note: string | null = null;

  constructor(public peer: Peer) {
    super();
  }

  /** To a peer, the request as the client sent it, retries as the tenant's limits have it. */
  static to(peer: Peer): Route {
    return new Route(peer);
  }

  /** Sets `note`. */
  withNote(note: string): Route {
    this.note = note;
    return this;
  }

  /** Takes these statuses of the upstream, 500 to 599, for a failed attempt. */
  onStatus(statuses: u16[]): Route {
    this.retry.onStatus = this.retry.onStatus.concat(statuses);
    return this;
  }

  /** Removes all values of a header. The host removes before it sets and adds. */
  removeHeader(name: string): Route {
    this.rewrite.removeHeaders.push(name);
    return this;
  }

  /** Replaces all values of a header. A name may be set once. */
  setHeader(name: string, value: string): Route {
    this.rewrite.setHeaders.push(Header.of(name, value));
    return this;
  }

  /** Adds a value to those that a header has. */
  addHeader(name: string, value: string): Route {
    this.rewrite.addHeaders.push(Header.of(name, value));
    return this;
  }

  write(to: Writer): void {
    to.some4(false);
    to.u8(0);
    to.align(4);
    this.peer.writeRecord(to);
    this.rewrite.writeRecord(to);
    this.retry.writeRecord(to);
    to.optionString(this.note);
  }
}

/** Changes to the request that the upstream receives. Applied in the order of the fields. */
@final
export class Rewrite {
  /** `host` or `host:port`. Null: the client's. */
  authority: string | null = null;
  /** Starts with `/`, percent-encoded. Null: the client's. */
  pathAndQuery: string | null = null;
  /** Removed, all values. */
  removeHeaders: string[] = [];
  /** Set: replaces all values of that name. */
  setHeaders: Header[] = [];
  /** Added after the existing values. */
  addHeaders: Header[] = [];

  writeRecord(to: Writer): void {
    to.optionString(this.authority);
    to.optionString(this.pathAndQuery);
    const names = new Writer(heap.alloc(this.removeHeaders.length * 8));
    to.list(names.at, this.removeHeaders.length);
    for (let index = 0; index < this.removeHeaders.length; index++) names.string(this.removeHeaders[index]);
    Header.writeAll(to, this.setHeaders);
    Header.writeAll(to, this.addHeaders);
  }
}

/** The retries allowed after a failure. A module may restrict what the host allows, never extend it. */
@final
export class RetryPolicy {
  /** Attempts for this request, this one and all before it included. `NONE`: the tenant's limit. 1: no retry. */
  attempts: i64 = NONE;
  /** Statuses of the upstream that count as a failed attempt, each 500 to 599. */
  onStatus: u16[] = [];

  writeRecord(to: Writer): void {
    to.optionU32(this.attempts);
    to.list(this.onStatus.dataStart, this.onStatus.length);
  }
}
