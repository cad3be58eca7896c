export class Peer {
  constructor(address, options) {
    this.address = address;
    this.tls = undefined;
    this.connectProxy = undefined;
    this.bindTo = undefined;
    this.timeouts = {};
    this.tcpKeepalive = undefined;
    this.http = {};
    this.socket = {};
    this.isolation = undefined;
    Object.assign(this, options);
  }

  static http(address, options) {
    return new Peer(address, options);
  }

  static https(address, options) {
    return new Peer(address, { tls: {}, ...options });
  }
}
