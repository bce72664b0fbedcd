// `broker --control [HOST:]PORT`: where the control port of the broker is.

import { InvalidArgumentError, Option } from 'commander';
import { portOf } from './command.js';

/** As the options of the broker have it. */
export interface ControlAddress {
  readonly controlPort: number;
  /** Undefined: this machine only. */
  readonly controlHost?: string;
}

export function controlOption(): Option {
  const text =
    'also serve state, metrics, "deliver now" and faults by HTTP, 0 for a free port (default host: 127.0.0.1)';
  return new Option('--control <[host:]port>', text).argParser(controlAddressOf);
}

/** @throws InvalidArgumentError */
export function controlAddressOf(text: string): ControlAddress {
  // An IPv6 address stands in brackets, so that its colons are not taken for the port's.
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):)?([^:]+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be PORT, HOST:PORT or [IPV6]:PORT.');
  const [, bracketed, name, port = ''] = match;
  const controlHost = bracketed ?? name;
  return { controlPort: portOf(port), ...(controlHost !== undefined && { controlHost }) };
}
