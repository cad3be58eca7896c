import { clock } from '#host';

export function nowMs() {
  return Number(clock.nowMs());
}
