// Calls on one connection of a peer that allows a single stream at a time: each waits for the one before it. What the peer sends is
// looked at as well, because a setting that it ignored would prove nothing.

import { randomBytes, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { Connection, Producer, RocketMQError } from 'nestjs-rocketmq/client';
import { type Address, addressText } from '../../libs/rocketmq/src/client/endpoint.js';
import { ClientConnection } from '../../libs/rocketmq/src/client/wire/client-connection.js';
import { Http2Channel } from '../../libs/rocketmq/src/client/wire/http2-channel.js';
import { FrameParser } from '../../libs/rocketmq/src/http2/frame-parser.js';
import { FLAG, FRAME } from '../../libs/rocketmq/src/http2/frames.js';
import { Code } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { frameRequest, rpcMethod } from '../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { systemRandom } from '../../libs/rocketmq/src/support/random.js';
import { within } from '../../tools/process/within.js';
import { message } from '../../tools/wire/raw-grpc-client.js';
import { TOPICS } from './load.js';

/** What arrived on the connections of a client. */
export interface Seen {
  readonly settings: Map<number, number>;
  continuations: number;
  padded: number;
}

const SEND = rpcMethod('sendMessage');
const IN_FLIGHT = 64;
const CALL_MS = 30_000;
const START_MS = 5_000;
const CLOSE_MS = 5_000;
const REQUEST_MS = 500;
const SEND_MS = 1_500;

/** Sends messages one by one, by many callers at once. @returns what went wrong, and what the peer sent */
export async function callOneByOne(
  endpoints: string,
  { calls, bodyBytes }: { readonly calls: number; readonly bodyBytes: number },
): Promise<{ readonly violations: readonly string[]; readonly seen: Seen }> {
  const seen: Seen = { settings: new Map(), continuations: 0, padded: 0 };
  const channel = new Http2Channel(endpoints, systemRandom, undefined, (address) => watched(address, seen));
  const violations: string[] = [];
  const ids = new Set<string>();
  let left = calls;
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      try {
        ids.add(await send(channel, randomBytes(1 + (left % bodyBytes))));
      } catch (error) {
        violations.push(error instanceof Error ? error.message : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  if (ids.size + violations.length < calls)
    violations.push(`${calls} calls were answered with ${ids.size} message ids`);
  await channel.retire();
  return { violations, seen };
}

/**
 * A whole client keeps a telemetry stream open as long as it lives, which leaves no stream for anything else.
 * @returns what went wrong: a send must fail in its time, as not sent, with the reason; and the close must end
 */
export async function useWholeClient(endpoints: string): Promise<readonly string[]> {
  const connection = new Connection({ endpoints, requestTimeoutMs: REQUEST_MS });
  const producer = new Producer(connection, { topics: { [TOPICS.plain]: 'normal' } });
  try {
    await within(producer.start({ timeoutMs: START_MS }), START_MS + CLOSE_MS, 'the start of a producer');
    const sending = producer.send({ topic: TOPICS.plain, body: 'x' }, { timeoutMs: SEND_MS });
    const outcome = await within(sending, SEND_MS + CLOSE_MS, 'a send without a stream').then(
      () => 'was stored',
      (error: unknown) => (namesTheLimit(error) ? undefined : `failed as ${String(error)}`),
    );
    return outcome === undefined ? [] : [`a send beside a telemetry stream, which takes the only stream, ${outcome}`];
  } finally {
    await within(producer.close(), CLOSE_MS, 'the close of a producer');
    connection.close();
  }
}

function namesTheLimit(error: unknown): boolean {
  return RocketMQError.is(error) && error.outcome === 'not-sent' && error.message.includes('as the server allows');
}

/** @returns the id of the message @throws Error unless it is stored */
async function send(channel: Http2Channel, body: Buffer): Promise<string> {
  const messages = [{ ...message(TOPICS.plain, randomUUID()), body }];
  const call = { path: SEND.path, metadata: { 'x-mq-client-id': 'check' }, timeoutMs: CALL_MS };
  const { status, entries } = SEND.response.decode(await channel.unary(call, frameRequest(SEND, { messages })));
  if (status?.code !== Code.OK) throw new Error(`a send was answered with ${status?.code}: ${status?.message}`);
  return entries[0]?.messageId ?? '';
}

/** Opens a connection as the client does, and looks at what arrives on it. */
async function watched({ host, port }: Address, seen: Seen): Promise<ClientConnection> {
  const socket = connect({ host, port });
  socket.setNoDelay(true);
  const parser = new FrameParser(
    {
      data: () => {},
      frame: (type, flags, _, payload) => {
        if (type === FRAME.continuation) seen.continuations++;
        if (type === FRAME.headers && (flags & FLAG.padded) !== 0) seen.padded++;
        if (type === FRAME.settings && (flags & FLAG.ack) === 0) noteSettings(payload, seen.settings);
      },
    },
    false,
  );
  socket.on('data', (chunk: Buffer) => parser.push(chunk));
  const connection = new ClientConnection(addressText({ host, port }), socket);
  await connection.ready;
  return connection;
}

function noteSettings(payload: Buffer, settings: Map<number, number>): void {
  for (let at = 0; at < payload.length; at += 6) settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
}
