/** What the proxy itself saw of upstreams, in the tenant's own requests, and what its health checks found. */

export interface Upstream {
  /** As in the call, or as in the group. */
  address: string;
  /** `unknown`: no health check has been made. */
  health: 'unknown' | 'healthy' | 'unhealthy';
  /** Attempts in flight, in this proxy. */
  inFlight: number;
  /**
   * Time from the start of an attempt to the head of its response, in microseconds: an average in which every response
   * counts for an eighth. Undefined before the first one.
   */
  latencyUs: number | undefined;
  /** Consecutive failed attempts, if the last was within the past 30 seconds; else 0. */
  failures: number;
}

/** What is known of an address, whether or not it is in a group. */
export function get(address: string): Upstream;

/** The members of a group that the operator defined, in its order. An error if there is no such group. */
export function group(name: string): Upstream[];
