// The servers of other makers, each in front of a broker: how each is prepared and started, with the smallest settings that it takes.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cacheFolder, DEFAULT_VERSION, ensureJars } from '../../libs/rocketmq/src/cli/server/jars.js';
import { INITIAL_WINDOW_BYTES } from '../../libs/rocketmq/src/http2/frames.js';
import { run } from '../../tools/process/run-command.js';
import type { Tools } from '../check.js';

/** Of the values in large headers and trailers. The client accepts 64 KiB, with names and 32 bytes for each field. */
const LARGE_BYTES = 50 * 1024;
/** nghttpx adds the same ones to each answer, so they are just too large for one frame. */
const FIXED_FIELDS = Array.from(
  { length: 24 },
  (_, index) => `--add-response-header=x-large-${index}: ${'~'.repeat(800)}`,
);

/** What a connection of a peer allows. */
export interface Limits {
  readonly streams: number;
  /** The window of a stream, in bytes. */
  readonly windowBytes: number;
  /** Whether it grows with what arrives: the settings change while streams are open. */
  readonly windowGrows?: boolean;
  readonly pads?: boolean;
  /**
   * Whether the peer may count a stream as open whose end it has sent: net/http2 reads the next request before it notes what it has written, and
   * resets that request with PROTOCOL_ERROR when the limit is 1.
   */
  readonly countsLate?: boolean;
  /** Whether the peer leaves its connections all the time: a call that waits for a stream is refused then, and would have to be repeated. */
  readonly leaves?: boolean;
}

/** Where a peer listens, and which broker is behind it. */
export interface Place {
  readonly port: number;
  readonly broker: string;
}

export interface Peer {
  readonly name: string;
  readonly limits: Limits;
  /** The program and its arguments. @param streams how many a connection may have */
  command(place: Place, streams: number): readonly [string, ...string[]];
}

export type Maker = 'grpc-go' | 'grpc-java' | 'nghttpx';

/**
 * Four streams are taken by a client with a producer and two consumers for their telemetry and polls; those of the other queue come on top.
 * What is left is fewer than there are sends.
 */
const STREAMS = 10;

/** Each prepares the peers of one maker. */
const MAKERS: Readonly<Record<Maker, (tools: Tools) => Promise<readonly Peer[]>>> = {
  'grpc-go': async ({ folder }) => {
    const program = join(folder, 'go-peer');
    const GOMODCACHE = join(cacheFolder(), 'go-modules');
    const env = { ...process.env, GOMODCACHE, GOFLAGS: '-mod=readonly -modcacherw -buildvcs=false' };
    await run('go', ['build', '-o', program, '.'], { cwd: join(import.meta.dirname, 'go'), env });
    const peer = (name: string, limits: Omit<Limits, 'streams'>, ...more: string[]): Peer => ({
      name,
      limits: { streams: STREAMS, ...limits },
      command: ({ port, broker }, streams) => [
        program,
        ...['-listen', `127.0.0.1:${port}`, '-broker', broker, '-large', String(LARGE_BYTES)],
        ...['-streams', String(streams), '-window', String(limits.windowBytes), ...more],
      ],
    });
    return [
      // It takes no less.
      peer('grpc-go', { windowBytes: INITIAL_WINDOW_BYTES }),
      peer('grpc-go that leaves connections', { windowBytes: INITIAL_WINDOW_BYTES, leaves: true }, '-age', '300ms'),
      peer('grpc-go on net/http2, window 1', { windowBytes: 1, countsLate: true }, '-net'),
      peer('grpc-go on net/http2, window 1000', { windowBytes: 1_000, countsLate: true }, '-net'),
    ];
  },
  'grpc-java': async ({ print }) => {
    const jars = await ensureJars(DEFAULT_VERSION, { log: print });
    const file = join(import.meta.dirname, 'java', 'Peer.java');
    const peer = (windowBytes: number, windowGrows = false): Peer => ({
      name: `grpc-java, window ${windowGrows ? 'from ' : ''}${windowBytes}`,
      limits: { streams: STREAMS, windowBytes, windowGrows },
      command: ({ port, broker }, streams) => [
        'java',
        ...['-Xmx256m', '-XX:+UseSerialGC', '-cp', join(jars, '*'), file],
        ...[port, broker, streams, windowBytes, LARGE_BYTES, windowGrows ? 'growing' : 'fixed'].map(String),
      ],
    });
    return [peer(1, true), peer(1_000)];
  },
  nghttpx: async ({ print }) => {
    if (spawnSync('nghttpx', ['--version'], { stdio: 'ignore' }).status !== 0) {
      print('skipped: nghttpx is not on the PATH (Debian, Ubuntu: apt install nghttp2-proxy)');
      return [];
    }
    const peer = (windowBytes: number): Peer => ({
      name: `nghttpx, window ${windowBytes}`,
      limits: { streams: STREAMS, windowBytes, pads: true },
      command: ({ port, broker }, streams) => [
        'nghttpx',
        // Not the configuration of this machine.
        ...['--conf=/dev/null', '--log-level=WARN', '--single-process', '--no-ocsp'],
        `--frontend=127.0.0.1,${port};no-tls`,
        `--backend=${broker.replace(':', ',')};;proto=h2`,
        '--padding=255',
        '--frontend-http2-encoder-dynamic-table-size=0',
        '--frontend-http2-decoder-dynamic-table-size=0',
        `--frontend-http2-max-concurrent-streams=${streams}`,
        `--frontend-http2-window-size=${windowBytes}`,
        '--frontend-http2-connection-window-size=65535',
        ...FIXED_FIELDS,
      ],
    });
    return [peer(1), peer(1_000)];
  },
};

/** @returns the peers of one maker, ready to be started; none when what they need isn't installed */
export function peersOf(maker: Maker, tools: Tools): Promise<readonly Peer[]> {
  return MAKERS[maker](tools);
}
