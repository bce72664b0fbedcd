// What listens on an address where no proxy answers. It is asked in the languages that may be spoken there, each time on a connection
// of its own, by questions without effect; time and bytes are bounded.

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { encodeFrame, FrameDecoder } from '../../protocol/remoting/frame.js';
import { linkedController } from '../../support/abort.js';
import { type Asking, firstAnswer } from '../../support/first-answer.js';
import { greet, TLS_ALERT } from '../../support/tls-failure.js';
import type { Address } from '../endpoint.js';

/** What is known of who listens. */
export type Listener =
  /** No proxy, and never one: `what` it is, and what to do. */
  | { readonly kind: 'stranger'; readonly what: string; readonly advice: string }
  /** Plaintext is not answered, TLS is. */
  | { readonly kind: 'tls-only' }
  /** Connections are accepted, and nothing is said on them. */
  | { readonly kind: 'silent' };

/** How long one question may take. Those in plaintext and the TLS greeting are asked side by side. */
const PATIENCE_MS = 1_000;
/** The answer of a name server lists all brokers; thousands of them fit. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** What an HTTP/2 client begins with: its preface and empty settings. */
const HTTP2_OPENING = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
/** Name servers answer it with their brokers; any other server of the remoting protocol refuses it. */
const CLUSTER_QUESTION = encodeFrame({ code: 106, opaque: 0 });
const http1Question = (host: string): Buffer =>
  Buffer.from(`HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 'latin1');

const PROXY_PORT = 'give the address of a proxy, which speaks gRPC, usually at port 8081';
const NAME_SERVER: Listener = {
  kind: 'stranger',
  what: 'a name server of RocketMQ (remoting protocol)',
  advice: `${PROXY_PORT}; name servers are for administration (the option nameServer; --name-server or --admin)`,
};
const BROKER: Listener = {
  kind: 'stranger',
  what: 'a broker of RocketMQ (remoting protocol)',
  advice: `${PROXY_PORT}; brokers usually are at 10911`,
};
const HTTP1: Listener = {
  kind: 'stranger',
  what: 'an HTTP/1 server',
  advice:
    'it is no RocketMQ proxy, or a web proxy in front of one that does not pass HTTP/2 on: correct the address, or that proxy',
};

/** What came of one question: who listens, what became of the connection, or `spoken` for any other answer. */
type Answer = Listener | 'spoken' | 'silent' | 'ended';

/**
 * @param timeoutMs for one question; at most a second is taken
 * @param signal gives up; then nothing is known
 * @returns undefined when HTTP/2 is spoken, nobody listens, or it is not known who
 */
export async function listenerAt(
  address: Address,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Listener | undefined> {
  const { controller, unlink } = linkedController([signal]);
  try {
    const asking = { timeoutMs: Math.min(timeoutMs, PATIENCE_MS), signal: controller.signal };
    const listener = await find(address, asking);
    return signal?.aborted ? undefined : listener;
  } finally {
    unlink();
    // Whoever is known needs no further question.
    controller.abort();
  }
}

async function find(address: Address, asking: Asking): Promise<Listener | undefined> {
  const remoting = remotingServer(connect({ ...address }), asking);
  const http2 = firstWord(connect({ ...address }), HTTP2_OPENING, asking);
  const http1 = firstWord(connect({ ...address }), http1Question(address.host), asking);
  const greeted = greet(address, undefined, asking);
  const first = await firstWhoSpeaks([remoting, http2]);
  if (first !== undefined) return first === 'spoken' ? undefined : first;
  // Only now: one that answers HTTP/1 may speak HTTP/2 as well.
  const last = await http1;
  if (typeof last === 'object') return last;
  if ((await greeted) !== 'none') return behindTls(address, asking);
  const isSilent = [await remoting, await http2, last].every((answer) => answer === 'silent');
  return isSilent ? { kind: 'silent' } : undefined;
}

/** A name server or broker may take nothing but TLS. Whose certificate it is does not matter: nothing secret is said. */
async function behindTls(address: Address, asking: Asking): Promise<Listener> {
  const answer = await remotingServer(connectTls({ ...address, rejectUnauthorized: false }), asking);
  return typeof answer === 'object' ? answer : { kind: 'tls-only' };
}

/** @returns undefined when none of them speaks */
function firstWhoSpeaks(asked: readonly Promise<Answer>[]): Promise<Listener | 'spoken' | undefined> {
  return new Promise((resolve) => {
    const each = asked.map(async (one) => {
      const answer = await one;
      if (answer !== 'silent' && answer !== 'ended') resolve(answer);
    });
    void Promise.all(each).then(() => resolve(undefined));
  });
}

function remotingServer(socket: Socket, asking: Asking): Promise<Answer> {
  const decoder = new FrameDecoder(MAX_ANSWER_BYTES);
  return firstAnswer<Answer>(socket, CLUSTER_QUESTION, asking, (piece) => {
    const [answer] = decoder.push(piece);
    if (answer === undefined) return undefined;
    return answer.code === 0 ? NAME_SERVER : BROKER;
  });
}

function firstWord(socket: Socket, question: Buffer, asking: Asking): Promise<Answer> {
  return firstAnswer<Answer>(socket, question, asking, (piece) => {
    if (piece[0] === TLS_ALERT) return 'ended';
    return piece.toString('latin1', 0, 6) === 'HTTP/1' ? HTTP1 : 'spoken';
  });
}
