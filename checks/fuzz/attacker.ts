// Sends hostile requests over real connections and reports the answers. Connections are broken at random.

import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import type { RpcName } from '../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { below, type Chance } from '../../tools/random.js';
import { answerOn, type PeerAnswer } from '../../tools/wire/http2-peer.js';
import type { HostileRequest } from './hostile-requests.js';

/** The maximum wait for an answer; an empty receive would take seconds. */
const ANSWER_TIMEOUT_MS = 150;
/** The maximum number of calls on a connection before it is broken, with all its open streams. */
const MAX_CALLS = 150;
/** How long the peer of a raw connection has to answer. */
const RAW_TIMEOUT_MS = 15;

const UNANSWERED: PeerAnswer = {
  headers: {},
  status: undefined,
  message: undefined,
  data: Buffer.alloc(0),
  resetCode: undefined,
};

export interface Ports {
  readonly clients: string;
  readonly admin: string;
}

/** Called for each call of an RPC that was awaited. */
export type OnAnswer = (rpc: RpcName, answer: PeerAnswer) => void;

/** One of several concurrent attackers; sends one request after the other. */
export class Attacker {
  private peer: { readonly session: ClientHttp2Session; readonly socket: Socket } | undefined;
  private callsLeft = 0;

  constructor(
    private readonly ports: Ports,
    private readonly chance: Chance,
    private readonly onAnswer: OnAnswer,
  ) {}

  async send(request: HostileRequest): Promise<void> {
    if (request.kind === 'bytes') await this.sendBytes(request);
    else await this.call(request);
  }

  close(): void {
    // Destroys the socket and not the session, which would notify the broker.
    this.peer?.socket.destroy();
    this.peer = undefined;
  }

  private async call({ rpc, headers, pieces, ending }: Extract<HostileRequest, { kind: 'call' }>): Promise<void> {
    const { ':path': path = '/', ...others } = headers;
    const stream = opened(this.openSession(), path, others);
    // Node rejects some invalid headers; those are sent over raw connections.
    if (stream === undefined) return;
    const answer = answerOn(stream);
    for (const piece of pieces) if (!stream.destroyed && !stream.closed) stream.write(piece);
    switch (ending) {
      case 'reset':
        // A turn later, because in the same turn Node 20 may hang in the preceding write.
        await new Promise((resolve) => setImmediate(resolve));
        stream.close(constants.NGHTTP2_INTERNAL_ERROR);
        return;
      case 'cut':
        this.close();
        return;
      case 'abandon':
        return;
      case 'half-close':
        if (!stream.destroyed) stream.end();
        await this.await(stream, answer, rpc);
    }
  }

  private async await(stream: ClientHttp2Stream, answer: Promise<PeerAnswer>, rpc: RpcName | undefined): Promise<void> {
    const received = await withinMs(answer, ANSWER_TIMEOUT_MS);
    if (received === undefined) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    if (rpc !== undefined) this.onAnswer(rpc, received ?? UNANSWERED);
  }

  private openSession(): ClientHttp2Session {
    const { session: before } = this.peer ?? {};
    if (this.callsLeft-- > 0 && before !== undefined && !before.closed && !before.destroyed) return before;
    this.close();
    const socket = this.connection('clients');
    const session = connectHttp2(`http://${this.ports.clients}`, { createConnection: () => socket });
    session.on('error', () => {});
    this.peer = { session, socket };
    this.callsLeft = below(this.chance, MAX_CALLS);
    return session;
  }

  private connection(port: keyof Ports): Socket {
    const [host = '', number] = this.ports[port].split(':');
    const socket = connect({ host, port: Number(number), noDelay: true });
    socket.on('error', () => {});
    return socket;
  }

  private async sendBytes({ port, pieces, vanishes }: Extract<HostileRequest, { kind: 'bytes' }>): Promise<void> {
    const socket = this.connection(port);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.resume();
    for (const piece of pieces) socket.write(piece);
    if (!vanishes) socket.end();
    await withinMs(closed, RAW_TIMEOUT_MS);
    leave(socket, vanishes);
  }
}

/** @returns undefined if it takes longer */
function withinMs<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    void work.then((result) => {
      clearTimeout(timer);
      resolve(result);
    });
  });
}

function opened(session: ClientHttp2Session, path: string, headers: Record<string, string>) {
  try {
    const all = {
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'x-mq-language': 'GO',
    };
    const stream = session.request({ ...all, ...headers });
    stream.on('error', () => {});
    return stream;
  } catch {
    return undefined;
  }
}

function leave(socket: Socket, vanishes: boolean): void {
  if (vanishes && !socket.connecting) socket.resetAndDestroy();
  else socket.destroy();
}
