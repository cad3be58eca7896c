// Table of a router that fails.

export function find(table: { path: string; address: string }[], path: string): string {
  const entries = table.filter((entry) => entry.path === path);
  return entries[0]!.address;
}
