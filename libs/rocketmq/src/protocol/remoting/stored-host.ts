// The host in a stored message: address and port.

import { isIPv6 } from 'node:net';

/** A host name that is not an IP address is written as 0.0.0.0: the layout has no field for names. */
export function encodeHost(host: string): Buffer {
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
  if (isIPv6(name) && !name.includes('.')) {
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

/** Without a Buffer for the usual host, and digit by digit, because this runs for every message that is received. */
export function hostHex(host: string): string {
  return ipv4Hex(host) ?? encodeHost(host).toString('hex');
}

/** Undefined for anything but an IPv4 address and its port. */
function ipv4Hex(host: string): string | undefined {
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
  if (bytes !== 4 || digits === 0 || digits > MAX_DIGITS) return undefined;
  return hex32(address) + hex32(number);
}

function hex32(value: number): string {
  return (value + 2 ** 32).toString(16).slice(1);
}
