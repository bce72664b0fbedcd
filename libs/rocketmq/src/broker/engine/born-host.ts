// Where a message was born. A message by remoting has the port of its sender's connection as well, as on a server.

const WITH_PORT = /^(?:\[(.+)\]|([^:]+)):\d+$/;

/** The host without a port. */
export function hostOf(bornHost: string): string {
  const [, address, name] = WITH_PORT.exec(bornHost) ?? [];
  return address ?? name ?? bornHost;
}

/** The host with a port, which is 0 when it is not known. */
export function addressOf(bornHost: string): string {
  return WITH_PORT.test(bornHost) ? bornHost : `${bornHost}:0`;
}
