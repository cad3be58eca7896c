import { fromU32, upstreams } from '#host';

export function get(address) {
  return statistics(upstreams.get(address));
}

export function group(name) {
  const members = upstreams.group(name);
  if (members === undefined) throw new Error(`there is no group \`${name}\`; the operator defines it`);
  return members.map(statistics);
}

function statistics({ address, health, inFlight, latencyUs, failures }) {
  const latency = latencyUs === null || latencyUs === undefined ? undefined : fromU32(latencyUs);
  return { address, health, inFlight: fromU32(inFlight), latencyUs: latency, failures: fromU32(failures) };
}
