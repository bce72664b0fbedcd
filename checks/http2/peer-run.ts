// A peer that runs in front of an embedded broker, each in a process of its own: sockets of this process are those of the client.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChildProcess } from '../../libs/rocketmq/src/cli/server/child-processes.js';
import { accepts, takePortBlock } from '../../tools/ports.js';
import { within } from '../../tools/process/within.js';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';
import { GROUPS, TOPICS } from './load.js';
import type { Peer } from './peers.js';

/** A JVM that compiles its source on a busy machine. */
const START_MS = 30_000;
const STOP_MS = 2_000;
const LOOK_MS = 50;
const TAIL_LINES = 25;
/** Few polls: the streams of a connection are for sends. */
const QUEUES = 2;

export interface PeerRun {
  /** Where the client connects. */
  readonly endpoints: string;
  /** How the peer ended, if it has. */
  readonly end: () => string | undefined;
  /** The end of what the peer has printed. */
  readonly output: () => string;
  /** Ends both processes. */
  readonly stop: () => Promise<void>;
}

/** @param streams how many a connection may have @throws Error when the broker or the peer doesn't start */
export async function startPeer(peer: Peer, streams: number, folder: string, signal: AbortSignal): Promise<PeerRun> {
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'broker.json');
  writeFileSync(config, JSON.stringify(brokerOptions()));
  const ports = await takePortBlock();
  const stops: (() => Promise<void>)[] = [ports.release];
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    const args = ['--port', String(ports.first), '--config', config];
    const broker = await within(startEmbeddedBroker(args), START_MS, 'the start of the broker');
    stops.push(broker.kill);
    const port = ports.first + 1;
    const [program, ...rest] = peer.command({ port, broker: broker.endpoints }, streams);
    const logFile = join(folder, 'peer.log');
    const child = new ChildProcess(peer.name, program, rest, { logFile, cwd: folder, env: process.env });
    stops.push(() => child.stop({ shutdownGraceMs: STOP_MS }));
    const endsAtMs = performance.now() + START_MS;
    while (!(await accepts(port))) {
      if (child.end !== undefined || performance.now() > endsAtMs)
        throw new Error(`${peer.name} ${child.end ?? 'is not ready'}:\n${child.tail(TAIL_LINES)}`);
      await sleep(LOOK_MS, undefined, { signal });
    }
    const output = (): string => child.tail(TAIL_LINES);
    return { endpoints: `127.0.0.1:${port}`, end: () => child.end, output, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Strict, and with routes that lead back to the peer. */
function brokerOptions() {
  return {
    strict: true,
    advertiseAsAsked: true,
    topics: [
      { name: TOPICS.plain, type: 'normal', queues: QUEUES },
      { name: TOPICS.ordered, type: 'fifo', queues: QUEUES },
    ],
    groups: [{ name: GROUPS.plain }, { name: GROUPS.ordered, fifo: true }],
  };
}
