import { Reader, Writer } from "./abi";
import { bytes, text } from "./text";

/** One header. */
@final
export class Header {
  constructor(public name: string, public value: Uint8Array) {}

  /** A header whose value is text. */
  static of(name: string, value: string): Header {
    return new Header(name, bytes(value));
  }

  /** The value as text. Invalid UTF-8 becomes U+FFFD. */
  text(): string {
    return text(this.value);
  }

  static read(from: Reader): Header {
    const name = from.string();
    return new Header(name, from.bytes());
  }

  static writeAll(to: Writer, headers: Header[]): void {
    const size = 16;
    const items = new Writer(heap.alloc(headers.length * size));
    to.list(items.at, headers.length);
    for (let index = 0; index < headers.length; index++) {
      items.string(headers[index].name);
      items.bytes(headers[index].value);
    }
  }
}
