// Makes a mistake, chosen by the request's path.

import { Peer, config, shared } from 'pointsman';
import { find } from './table.js';

let stable;

export function configure() {
  stable = config.text('/stable');
}

export function selectPeer(request) {
  const table = [];
  switch (request.path) {
    case '/panic': throw new Error('the table is empty');
    case '/assert': check(table.length > 0); break;
    case '/index': return Peer.http(find(table, request.path));
    case '/null': return Peer.http(first(table).address);
    case '/exit': return process.exit(3);
    case '/memory': return Peer.http(read(1 << 27));
    case '/loop': search(table); break;
    case '/recursion': return Peer.http(descend(request.path));
    case '/answer': return Peer.http('upstream.internal');
    case '/shared': shared.set('k'.repeat(300), ''); break;
  }
  return Peer.http(stable);
}

function check(holds) {
  if (!holds) throw new Error('the assertion failed');
}

function first(table) {
  return table.length > 0 ? table[0] : null;
}

function read(size) {
  return String.fromCharCode(...new Uint8Array(size));
}

function search(table) {
  for (let place = 0; place >= table.length;) place = (place + 1) % 8;
}

function descend(path) {
  return `${descend(path)}/`;
}
