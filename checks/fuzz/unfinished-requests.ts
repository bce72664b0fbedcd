// Unauthenticated callers that begin requests and never complete them, to measure how much memory the broker uses for them.

import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { METADATA } from '../../libs/rocketmq/src/protocol/credentials/metadata.js';
import { type RpcName, rpcMethod, rpcNames } from '../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { encodeFrame } from '../../libs/rocketmq/src/protocol/remoting/frame.js';
import { below, type Chance, oneOf, seededRandom } from '../../tools/random.js';
import type { Ports } from './attacker.js';
import { CLIENT_IDS } from './recording.js';

const MEBIBYTE = 1024 * 1024;
/** The maximum size of a gRPC message. */
const MAX_ANNOUNCED_BYTES = 130 * MEBIBYTE;
const ADMIN_BODY_BYTES = 4 * MEBIBYTE;
const CALLS_A_CONNECTION = 6;
const CALLS = 60;
const ADMIN_CONNECTIONS = 50;
const PIECE = Buffer.alloc(MEBIBYTE);

/** A request that is never completed. */
export interface UnfinishedRequest {
  readonly port: keyof Ports;
  /** The RPC; undefined for the name server port. */
  readonly rpc: RpcName | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** The first bytes: the length of the message and, for the name server port, its header. */
  readonly begin: Buffer;
  /** The size of the rest and of its chunks. */
  readonly bytes: number;
  readonly pieceBytes: number;
}

/** The requests of a seed. Together they exceed the memory limit of each port. */
export function unfinishedRequests(seed: number): UnfinishedRequest[] {
  const chance = seededRandom(seed);
  const calls = Array.from({ length: CALLS }, () => unfinishedCall(chance));
  return [...calls, ...Array.from({ length: ADMIN_CONNECTIONS }, () => unfinishedFrame(chance))];
}

function unfinishedCall(chance: Chance): UnfinishedRequest {
  const rpc = oneOf(chance, rpcNames());
  const begin = Buffer.alloc(5);
  const way = chance();
  const base = { port: 'clients', rpc, headers: strangersHeaders(chance) } as const;
  // Some are sent as single bytes; only few bytes, because each is a packet.
  const [bytes, pieceBytes] =
    way < 0.1 ? [below(chance, 3_000), 1] : [below(chance, 24 * MEBIBYTE), 1 + below(chance, MEBIBYTE)];
  // Some are complete except for the half-close.
  begin.writeUInt32BE(chance() < 0.3 ? bytes : oneOf(chance, [bytes + 1, 2 * bytes + 1, MAX_ANNOUNCED_BYTES]), 1);
  return { ...base, begin, bytes, pieceBytes };
}

function unfinishedFrame(chance: Chance): UnfinishedRequest {
  const fields: Record<string, string> = chance() < 0.5 ? {} : { AccessKey: 'nobody', Signature: 'bm90aGluZw==' };
  const begin = encodeFrame({ code: 10, opaque: 1, isOneWay: false, isResponse: false, fields });
  begin.writeUInt32BE(begin.readUInt32BE() + ADMIN_BODY_BYTES);
  return {
    port: 'admin',
    rpc: undefined,
    headers: {},
    begin,
    bytes: ADMIN_BODY_BYTES - 1 - below(chance, MEBIBYTE),
    pieceBytes: MEBIBYTE,
  };
}

/** The headers of callers that a broker with users rejects. */
function strangersHeaders(chance: Chance): Record<string, string> {
  const signed = (credential: string, signature: string): Record<string, string> => ({
    [METADATA.dateTime]: '20260101T000000Z',
    [METADATA.authorization]: `MQv2-HMAC-SHA1 Credential=${credential}, SignedHeaders=x-mq-date-time, Signature=${signature}`,
  });
  return oneOf<Record<string, string>>(chance, [
    {},
    { [METADATA.authorization]: 'Basic Z29vZDpnb29k' },
    signed('nobody', '0'.repeat(40)),
    signed('good', '0'.repeat(40)),
    signed('good', ''),
    signed('', 'ff'),
  ]);
}

/** Sends these requests and keeps them open. */
export class UnfinishedCallers {
  private readonly closers: (() => void)[] = [];

  constructor(private readonly ports: Ports) {}

  /** Resolves when each request was sent or rejected. */
  async begin(requests: readonly UnfinishedRequest[]): Promise<void> {
    const calls = requests.filter(({ port }) => port === 'clients');
    const sent: Promise<void>[] = [];
    while (calls.length > 0) sent.push(...this.openConnection(calls.splice(0, CALLS_A_CONNECTION)));
    for (const request of requests) if (request.port === 'admin') sent.push(this.openAdmin(request));
    await Promise.all(sent);
  }

  /** Breaks all connections. */
  close(): void {
    for (const close of this.closers.splice(0)) close();
  }

  private openConnection(calls: readonly UnfinishedRequest[]): Promise<void>[] {
    const session = connectHttp2(`http://${this.ports.clients}`);
    session.on('error', () => {});
    this.closers.push(() => session.destroy());
    return calls.map((request, index) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': rpcMethod(request.rpc as RpcName).path,
        'content-type': 'application/grpc',
        te: 'trailers',
        [METADATA.clientId]: CLIENT_IDS[index % CLIENT_IDS.length],
        [METADATA.language]: 'GO',
        ...request.headers,
      });
      stream.resume();
      return sendAll(stream, request);
    });
  }

  private openAdmin(request: UnfinishedRequest): Promise<void> {
    const [host = '', port] = this.ports.admin.split(':');
    const socket = connect({ host, port: Number(port) });
    this.closers.push(() => socket.destroy());
    return sendAll(socket.resume(), request);
  }
}

/** Writes one chunk after the other. Resolves at the end, or when the peer has closed the connection. */
function sendAll(to: NodeJS.WritableStream, { begin, bytes, pieceBytes }: UnfinishedRequest): Promise<void> {
  return new Promise((resolve) => {
    let left = bytes;
    const next = (error?: Error | null): void => {
      if (left === 0 || error) {
        resolve();
        return;
      }
      const piece = PIECE.subarray(0, Math.min(left, pieceBytes));
      left -= piece.length;
      to.write(piece, next);
    };
    to.on('error', () => resolve());
    to.on('close', () => resolve());
    to.write(begin, next);
  });
}
