// `broker --control [HOST:]PORT`: the address of the broker's control port.

import { InvalidArgumentError, Option } from 'commander';
import { portOf } from './command.js';

/** The fields as in the options of the broker. */
export interface ControlAddress {
  readonly controlPort: number;
  /** Undefined: loopback only. */
  readonly controlHost?: string;
}

export function controlOption(): Option {
  const text =
    'also serve state, metrics, "deliver now" and faults over HTTP; port 0 for any free port (default host: 127.0.0.1)';
  return new Option('--control <[host:]port>', text).argParser(controlAddressOf);
}

/** @throws InvalidArgumentError */
export function controlAddressOf(text: string): ControlAddress {
  // Brackets around an IPv6 address separate its colons from the one before the port.
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):)?([^:]+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be PORT, HOST:PORT or [IPV6]:PORT.');
  const [, bracketed, name, port = ''] = match;
  const controlHost = bracketed ?? name;
  return { controlPort: portOf(port), ...(controlHost !== undefined && { controlHost }) };
}
