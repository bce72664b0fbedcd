// The host in a stored message: address and port.

import { isIPv6 } from 'node:net';

/** A host name that is not an IP address is written as 0.0.0.0: the layout has no field for names. */
export function encodeHost(host: string): Buffer {
  const usual = ipv4(host);
  if (usual !== undefined) {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeInt32BE(usual[1], bytes.writeUInt32BE(usual[0]));
    return bytes;
  }
  const at = host.lastIndexOf(':');
  const name = host.slice(0, at).replace(/^\[|\]$/g, '');
  const port = Number(host.slice(at + 1));
  const address = addressBytes(name);
  // In one piece, because this runs for every message.
  const bytes = Buffer.allocUnsafe(address.length + 4);
  bytes.set(address);
  bytes.writeInt32BE(Number.isInteger(port) ? port | 0 : 0, address.length);
  return bytes;
}

function addressBytes(name: string): readonly number[] {
  const parts = name.split('.').map(Number);
  if (parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255)) return parts;
  // A name has no colon, and the question whether it is an IPv6 address is a long one.
  if (name.includes(':') && isIPv6(name) && !name.includes('.')) {
    const [head = '', tail] = name.split('::');
    const before = head === '' ? [] : head.split(':');
    const after = tail === undefined || tail === '' ? [] : tail.split(':');
    const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
    const groups = [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16));
    return groups.flatMap((group) => [group >> 8, group & 0xff]);
  }
  return [0, 0, 0, 0];
}

const [ZERO, NINE, DOT, COLON] = [0x30, 0x39, 0x2e, 0x3a];
const MAX_DIGITS = 5;

export function hostHex(host: string): string {
  const usual = ipv4(host);
  return usual === undefined ? encodeHost(host).toString('hex') : hex32(usual[0]) + hex32(usual[1]);
}

/** Digit by digit, because this runs for every message. @returns address and port; undefined for anything but an IPv4 address and its port */
function ipv4(host: string): readonly [address: number, port: number] | undefined {
  let [address, bytes, number, digits] = [0, 0, 0, 0];
  for (let at = 0; at < host.length; at++) {
    const code = host.charCodeAt(at);
    if (code >= ZERO && code <= NINE) {
      number = number * 10 + code - ZERO;
      digits++;
    } else {
      bytes++;
      if (code !== (bytes < 4 ? DOT : COLON) || bytes > 4 || digits === 0 || number > 255) return undefined;
      address = address * 256 + number;
      number = digits = 0;
    }
  }
  return bytes !== 4 || digits === 0 || digits > MAX_DIGITS ? undefined : [address, number];
}

function hex32(value: number): string {
  return (value + 2 ** 32).toString(16).slice(1);
}
