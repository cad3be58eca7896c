//! A response from the module itself.

import { Writer } from "./abi";
import { Answer } from "./answer";
import { Header } from "./header";
import { bytes } from "./text";

/** A response from the module itself. */
@final
export class Response extends Answer {
  headers: Header[] = [];
  body: Uint8Array = new Uint8Array(0);

  constructor(
    /** 200 to 599. */
    public status: u16,
  ) {
    super();
  }

  /** Adds a header. */
  header(name: string, value: string): Response {
    this.headers.push(Header.of(name, value));
    return this;
  }

  /** Adds a header whose value need not be text. */
  headerBytes(name: string, value: Uint8Array): Response {
    this.headers.push(new Header(name, value));
    return this;
  }

  /** Sets a body of plain text, and its type. */
  text(body: string): Response {
    this.body = bytes(body);
    return this.header("content-type", "text/plain; charset=utf-8");
  }

  /** Sets a body of JSON, which is sent unchanged, and its type. */
  json(body: string): Response {
    this.body = bytes(body);
    return this.header("content-type", "application/json");
  }

  write(to: Writer): void {
    to.some4(false);
    to.u8(1);
    to.align(4);
    to.u16(this.status);
    Header.writeAll(to, this.headers);
    to.bytes(this.body);
  }
}
