/** Statistics of upstreams from the tenant's own requests, and the results of health checks. */

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

/** The statistics of an address, in a group or not. */
export function get(address: string): Upstream;

/** The members of a group that the operator defined, in its order. An error if there is no such group. */
export function group(name: string): Upstream[];
