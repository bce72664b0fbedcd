// Replaces parts of Node by the simulation: time, timers, randomness, sockets. Import it before anything that uses them.

import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { Http2Ways } from './http2.js';
import { Network } from './network.js';
import { SimulatedTimer, Simulation } from './simulation.js';
import { SimulatedServer, SimulatedSocket } from './sockets.js';

const require = createRequire(import.meta.url);
const RealDate = Date;
const real = { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate };

/** The current simulation and its network. */
export interface Machine extends Http2Ways {
  readonly simulation: Simulation;
  readonly network: Network;
  /** Called for each decompressed body, with the process that did it: see the bounds of buffers. */
  unpacked: (bytes: number) => void;
}

let machine: Machine | undefined;

/** Creates the machine for a seed and drops the previous one. */
export function bootMachine(seed: number): Machine {
  const simulation = new Simulation(seed);
  machine = {
    simulation,
    network: new Network(simulation),
    idStep: 2,
    sessionOpened: () => {},
    refusesStream: () => false,
    losesAnswer: () => false,
    altersTelemetry: (message) => message,
    idsRunOut: () => {},
    unpacked: () => {},
  };
  return machine;
}

/** The current machine, if a simulation runs. */
export function currentMachine(): Machine | undefined {
  return machine;
}

/** Restores Node's originals. */
export function shutMachine(): void {
  machine = undefined;
}

function running(): Machine {
  if (machine === undefined) throw new Error('no simulation runs');
  return machine;
}

function installTimers(): void {
  const begin = (callback: (...values: unknown[]) => void, delayMs = 1, ...values: unknown[]) => {
    if (machine === undefined) return real.setTimeout(callback, delayMs, ...values);
    return machine.simulation.timer(delayMs, values.length === 0 ? callback : () => callback(...values));
  };
  const end = (timer: unknown): void => {
    if (timer instanceof SimulatedTimer) timer.cancel();
    else real.clearTimeout(timer as NodeJS.Timeout);
  };
  const repeat = (callback: (...values: unknown[]) => void, everyMs = 1, ...values: unknown[]) => {
    if (machine === undefined) return real.setInterval(callback, everyMs, ...values);
    const timer: SimulatedTimer = machine.simulation.timer(everyMs, () => {
      timer.refresh();
      callback(...values);
    });
    return timer;
  };
  const soon = (callback: (...values: unknown[]) => void, ...values: unknown[]) => {
    if (machine === undefined) return real.setImmediate(callback, ...values);
    const { simulation } = machine;
    const event = simulation.soon(() => callback(...values));
    return { event, unref() {}, ref() {} };
  };
  const clear = (immediate: unknown): void => {
    const event = (immediate as { readonly event?: { run: unknown } } | undefined)?.event;
    if (event !== undefined) event.run = undefined;
    else real.clearImmediate(immediate as NodeJS.Immediate);
  };
  const timers = { setTimeout: begin, clearTimeout: end, setInterval: repeat, clearInterval: end };
  const all = { ...timers, setImmediate: soon, clearImmediate: clear };
  Object.assign(globalThis, all);
  Object.assign(require('node:timers'), all);
  const pause = (delayMs?: number, value?: unknown) => new Promise((resolve) => begin(() => resolve(value), delayMs));
  const turn = (value?: unknown) => new Promise((resolve) => soon(() => resolve(value)));
  Object.assign(require('node:timers/promises'), { setTimeout: pause, setImmediate: turn });
}

function installTime(): void {
  const now = (): number => (machine === undefined ? RealDate.now() : Math.floor(machine.simulation.wallMs));
  class SimulatedDate extends RealDate {
    constructor(...values: unknown[]) {
      if (values.length === 0) super(now());
      else super(...(values as [number]));
    }

    static override now(): number {
      return now();
    }
  }
  globalThis.Date = SimulatedDate as DateConstructor;
  const clock = performance.now.bind(performance);
  Object.defineProperty(performance, 'now', {
    value: () => (machine === undefined ? clock() : machine.simulation.nowMs),
    configurable: true,
  });
}

function installChance(): void {
  const next = Math.random;
  Math.random = () => (machine === undefined ? next() : machine.simulation.machineChance.next());
  const crypto = require('node:crypto') as typeof import('node:crypto');
  const { randomBytes, randomUUID } = crypto;
  Object.assign(crypto, {
    randomBytes: (size: number) => machine?.simulation.machineChance.bytes(size) ?? randomBytes(size),
    randomUUID: () => {
      if (machine === undefined) return randomUUID();
      const digits = machine.simulation.machineChance.bytes(16).toString('hex');
      return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    },
  });
  const os = require('node:os') as typeof import('node:os');
  const { hostname } = os;
  os.hostname = () => machine?.simulation.current?.host ?? hostname();
  const { pid } = process;
  Object.defineProperty(process, 'pid', { get: () => machine?.simulation.current?.pid ?? pid });
}

/** Runs in the current thread, because another one would end at an unpredictable time. */
function installCompression(): void {
  const zlib = require('node:zlib') as typeof import('node:zlib');
  type Callback = (error: Error | null, result?: Buffer) => void;
  const inThread = (name: 'gzip' | 'deflate' | 'unzip', work: (bytes: Buffer, options: object) => Buffer) => {
    const elsewhere = zlib[name] as (...values: unknown[]) => void;
    return (bytes: Buffer, ...rest: unknown[]): void => {
      if (machine === undefined) {
        elsewhere(bytes, ...rest);
        return;
      }
      const { unpacked, simulation } = machine;
      const done = rest.pop() as Callback;
      simulation.soon(() => {
        try {
          const result = work(bytes, (rest[0] as object | undefined) ?? {});
          if (name === 'unzip') unpacked(result.length);
          done(null, result);
        } catch (error) {
          done(error as Error);
        }
      });
    };
  };
  Object.assign(zlib, {
    gzip: inThread('gzip', zlib.gzipSync),
    deflate: inThread('deflate', zlib.deflateSync),
    unzip: inThread('unzip', zlib.unzipSync),
  });
}

function installNetwork(): void {
  const net = require('node:net') as typeof import('node:net');
  Object.assign(net, {
    connect: ({ host, port }: { readonly host: string; readonly port: number }) => {
      const { simulation, network } = running();
      return new SimulatedSocket(simulation).connect(network, `${host}:${port}`);
    },
    createServer: (onConnection: (socket: SimulatedSocket) => void) => {
      const { simulation, network } = running();
      return new SimulatedServer(simulation, network, onConnection);
    },
  });
  const tls = require('node:tls') as typeof import('node:tls');
  const connectTls = tls.connect as (...values: unknown[]) => unknown;
  Object.assign(tls, {
    connect: (options: { readonly host: string; readonly port: number }) => {
      if (machine === undefined) return connectTls(options);
      // No server of a simulation supports it.
      const socket = new SimulatedSocket(machine.simulation).connect(
        machine.network,
        `${options.host}:${options.port}`,
      );
      return socket.on('connect', () => socket.write());
    },
  });
}

installTimers();
installTime();
installChance();
installCompression();
installNetwork();
syncBuiltinESMExports();
