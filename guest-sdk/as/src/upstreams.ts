//! Statistics of upstreams from the tenant's own requests, and the results of health checks.

import { AREA, Argument, NONE, Reader } from "./abi";
import * as host from "./host";

export enum Health { Unknown, Healthy, Unhealthy }

/** The statistics of an upstream. */
@final
export class Upstream {
  /** As in the call, or as in the group. */
  address: string = "";
  health: Health = Health.Unknown;
  /** Attempts in flight, in this proxy. */
  inFlight: u32 = 0;
  /** Time to the head of a response, in microseconds, averaged. `NONE` before the first one. */
  latencyUs: i64 = NONE;
  /** Consecutive failed attempts, if the last was within the past 30 seconds; else 0. */
  failures: u32 = 0;

  static read(from: Reader): Upstream {
    const upstream = new Upstream();
    upstream.address = from.string();
    upstream.health = from.u8();
    upstream.inFlight = from.u32();
    upstream.latencyUs = from.optionU32();
    upstream.failures = from.u32();
    return upstream;
  }
}

export namespace upstreams {
  /** The statistics of an address, in a group or not. */
  export function get(address: string): Upstream {
    const argument = Argument.of(address);
    host.upstreamsGet(argument.pointer, argument.length, AREA);
    return Upstream.read(new Reader(AREA));
  }

  /** The members of a group that the operator defined, in its order. Null: there is no such group. */
  export function group(name: string): Upstream[] | null {
    const argument = Argument.of(name);
    host.upstreamsGroup(argument.pointer, argument.length, AREA);
    if (load<u8>(AREA) == 0) return null;
    const items = new Reader(load<u32>(AREA, 4));
    const count = load<i32>(AREA, 8);
    const members: Upstream[] = [];
    for (let index = 0; index < count; index++) members.push(Upstream.read(items));
    return members;
  }
}
