//! The module's configuration: its `config` table.
//!
//! A value is named by a JSON Pointer (RFC 6901): `/percent`, `/upstreams/0/address`. A value that is missing, or of the
//! wrong type, makes the decision fail with an error that names it (see `fail`); what the function returns then is empty.

import { AREA, Argument, Reader } from "./abi";
import { fail } from "./answer";
import * as host from "./host";

export namespace config {
  /** The whole table as a JSON object. */
  export function json(): string {
    host.configJson(AREA);
    return new Reader(AREA).string();
  }

  /** One value, as JSON. Null if it is absent. */
  export function get(pointer: string): string | null {
    const argument = Argument.of(pointer);
    host.configGet(argument.pointer, argument.length, AREA);
    return new Reader(AREA).optionString();
  }

  /** One value if it is a text. Null if it is absent or of another type, which is no failure. */
  export function getText(pointer: string): string | null {
    const argument = Argument.of(pointer);
    host.configGetText(argument.pointer, argument.length, AREA);
    return new Reader(AREA).optionString();
  }

  /** A text. */
  export function text(pointer: string): string {
    const found = optionalText(pointer);
    return found !== null ? found : missing(pointer);
  }

  /** A text, or this one if the operator gave none. */
  export function textOr(pointer: string, otherwise: string): string {
    const found = optionalText(pointer);
    return found !== null ? found : otherwise;
  }

  /** A list of texts. */
  export function texts(pointer: string): string[] {
    const texts: string[] = [];
    const list = get(pointer);
    if (list === null) missing(pointer);
    else if (!list.startsWith("[")) wrong(pointer, list, "a list");
    else {
      let item = optionalText(pointer + "/0");
      while (item !== null) {
        texts.push(item);
        item = optionalText(pointer + "/" + texts.length.toString());
      }
    }
    return texts;
  }

  /** A number. */
  export function number(pointer: string): f64 {
    const found = get(pointer);
    if (found !== null) return parse(pointer, found);
    missing(pointer);
    return 0;
  }

  /** A number, or this one if the operator gave none. */
  export function numberOr(pointer: string, otherwise: f64): f64 {
    const found = get(pointer);
    return found !== null ? parse(pointer, found) : otherwise;
  }

  /** `true` or `false`, the latter also if the operator gave neither. */
  export function flag(pointer: string): bool {
    const found = get(pointer);
    if (found !== null && found != "true" && found != "false") wrong(pointer, found, "true or false");
    return found !== null && found == "true";
  }
}

function optionalText(pointer: string): string | null {
  const found = config.getText(pointer);
  if (found !== null) return found;
  const other = config.get(pointer);
  return other !== null ? wrong(pointer, other, "a text") : null;
}

function parse(pointer: string, value: string): f64 {
  // JSON writes a number as `parseFloat` reads it; but that takes `12 apples` for one, too.
  const first = value.charCodeAt(0);
  if (first == 0x2d || (first >= 0x30 && first <= 0x39)) return parseFloat(value);
  wrong(pointer, value, "a number");
  return 0;
}

function missing(pointer: string): string {
  fail("config: `" + pointer + "` is missing");
  return "";
}

function wrong(pointer: string, value: string, expected: string): string {
  fail("config: `" + pointer + "` is `" + value + "`, not " + expected);
  return "";
}
