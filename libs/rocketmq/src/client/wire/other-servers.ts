// Finds out what kind of server listens on an address where no proxy answers. It probes each protocol on a separate connection,
// with requests that have no effect; time and bytes are bounded.

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import { encodeFrame, FrameDecoder } from '../../protocol/remoting/frame.js';
import { linkedController } from '../../support/abort.js';
import { type Asking, firstAnswer } from '../../support/first-answer.js';
import { rejectsPlaintext, TLS_ALERT, tlsHandshake } from '../../support/tls-failure.js';
import type { Address } from '../endpoint.js';

/** What a probe found. */
export type Listener =
  /** Not a proxy: `what` it is instead, and what to do. */
  | { readonly kind: 'other-server'; readonly what: string; readonly advice: string }
  /** The server answers TLS, but not plaintext. */
  | { readonly kind: 'tls-only' }
  /** The server accepts connections, but sends nothing. */
  | { readonly kind: 'silent' };

/** How long one probe may take. The plaintext probes and the TLS handshake run concurrently. */
const PROBE_TIMEOUT_MS = 1_000;
/** The limit of an answer. A name server lists all its brokers; thousands of them fit. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** The first bytes of an HTTP/2 client: its preface and empty settings. */
const HTTP2_OPENING = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
/** A request that name servers answer with their brokers, and that any other server of the remoting protocol rejects. */
const CLUSTER_QUESTION = encodeFrame({ code: REQUEST_CODES.getBrokerClusterInfo, opaque: 0 });
const http1Question = (host: string): Buffer =>
  Buffer.from(`HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 'latin1');

const PROXY_PORT = 'use the address of a proxy, which serves gRPC, usually on port 8081';
const NAME_SERVER: Listener = {
  kind: 'other-server',
  what: 'a RocketMQ name server (remoting protocol)',
  advice: `${PROXY_PORT}; for a cluster without a proxy, write name-server: before the address`,
};
const BROKER: Listener = {
  kind: 'other-server',
  what: 'a RocketMQ broker (remoting protocol)',
  advice: `${PROXY_PORT}; for a cluster without a proxy, name-server:host:9876 with the address of a name server`,
};
const HTTP1: Listener = {
  kind: 'other-server',
  what: 'an HTTP/1 server',
  advice:
    'it is not a RocketMQ proxy, or it is a web proxy in front of one that does not forward HTTP/2: fix the address, or that proxy',
};

/** The result of one probe: what listens, how the connection ended, or `spoken` for any other answer. */
type Answer = Listener | 'spoken' | 'silent' | 'ended';

/**
 * @param timeoutMs for one probe; one second at most
 * @param signal aborts the probes; then nothing is known
 * @returns undefined when the server speaks HTTP/2, nothing listens, or it is unknown what does
 */
export async function listenerAt(
  address: Address,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Listener | undefined> {
  const { controller, unlink } = linkedController([signal]);
  try {
    const asking = { timeoutMs: Math.min(timeoutMs, PROBE_TIMEOUT_MS), signal: controller.signal };
    const listener = await find(address, asking);
    return signal?.aborted ? undefined : listener;
  } finally {
    unlink();
    // A server that was identified needs no further probe.
    controller.abort();
  }
}

async function find(address: Address, asking: Asking): Promise<Listener | undefined> {
  const remoting = remotingServer(connect({ ...address }), asking);
  const http2 = firstWord(connect({ ...address }), HTTP2_OPENING, asking);
  const http1 = firstWord(connect({ ...address }), http1Question(address.host), asking);
  const handshake = tlsHandshake(address, undefined, asking);
  const first = await firstToAnswer([remoting, http2]);
  if (first !== undefined) return first === 'spoken' ? undefined : first;
  // Last, because a server that answers HTTP/1 may speak HTTP/2 as well.
  const last = await http1;
  if (typeof last === 'object') return last;
  if ((await handshake) !== 'none')
    return (await rejectsPlaintext(address, HTTP2_OPENING, asking)) ? behindTls(address, asking) : undefined;
  const isSilent = [await remoting, await http2, last].every((answer) => answer === 'silent');
  return isSilent ? { kind: 'silent' } : undefined;
}

/** A name server or broker may accept only TLS. Its certificate does not matter, because nothing secret is sent. */
async function behindTls(address: Address, asking: Asking): Promise<Listener> {
  const answer = await remotingServer(connectTls({ ...address, rejectUnauthorized: false }), asking);
  return typeof answer === 'object' ? answer : { kind: 'tls-only' };
}

/** @returns undefined when none of them answers */
function firstToAnswer(asked: readonly Promise<Answer>[]): Promise<Listener | 'spoken' | undefined> {
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
