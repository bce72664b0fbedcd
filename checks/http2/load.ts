// The load on one peer, with the public API alone: producers that send to an ordered and a plain topic, and a push consumer of each.

import { createHash, randomBytes } from 'node:crypto';
import { Connection, type MessageView, Producer, PushConsumer, RocketMQError } from 'nestjs-rocketmq/client';
import { within } from '../../tools/process/within.js';
import { type Chance, seededRandom } from '../../tools/random.js';
import { eventually } from '../../tools/until.js';
import { type Handled, idOf, type Records, type Sent } from './verdict.js';

export const TOPICS = { plain: 'plain', ordered: 'ordered' } as const;
export const GROUPS = { plain: 'plain-readers', ordered: 'ordered-readers' } as const;
type Kind = keyof typeof TOPICS;

export interface Load {
  readonly plain: number;
  readonly ordered: number;
  /** Sends that have too little time: most are given up, while they wait for a stream or are under way. */
  readonly hasty: number;
  /** Bodies have up to so many bytes; most are much smaller. */
  readonly maxBodyBytes: number;
}

/** Both together are what is in flight. */
const PLAIN_LOOPS = 48;
const MESSAGE_GROUPS = 16;
const ID = 'id';
const START_MS = 20_000;
const SEND_MS = 30_000;
const HASTY_MS = 50;
const HANDLED_MS = 30_000;
const CLOSE_MS = 10_000;
const GRACE_MS = 5_000;

/**
 * Sends, and waits until all that was sent is handled, or can't be expected any more.
 * @throws Error when the clients do not start or do not close
 */
export async function runLoad(endpoints: string, load: Load, signal: AbortSignal): Promise<Records> {
  const chance = seededRandom(1);
  const sent: Sent[] = [];
  const handled: Handled[] = [];
  const doubted = new Set<string>();
  // A request that is repeated since it took too long may be stored twice.
  const connection = new Connection({ endpoints, requestTimeoutMs: SEND_MS });
  const producer = new Producer(connection, { topics: { [TOPICS.plain]: 'normal', [TOPICS.ordered]: 'fifo' } });
  const consumers = (['plain', 'ordered'] as const).map((kind) => consumerOf(connection, kind, handled, doubted));
  try {
    const starting = [producer, ...consumers].map((one) => one.start({ timeoutMs: START_MS }));
    await within(Promise.all(starting), START_MS + CLOSE_MS, 'the start of the clients');
    const send = async (kind: Kind, number: number, group?: string, timeoutMs = SEND_MS): Promise<void> => {
      const message = { id: idOf(number, group), body: bodyOf(chance, load.maxBodyBytes), messageGroup: group };
      sent.push(await sendOne(producer, kind, message, timeoutMs));
    };
    let left = load.plain;
    const plain = Array.from({ length: PLAIN_LOOPS }, async () => {
      while (left > 0 && !signal.aborted) await send('plain', left--);
    });
    const ordered = Array.from({ length: MESSAGE_GROUPS }, async (_, index) => {
      for (let number = 1; number <= load.ordered / MESSAGE_GROUPS && !signal.aborted; number++)
        await send('ordered', number, `group-${index}`);
    });
    await Promise.all([...plain, ...ordered]);
    let hasty = load.hasty;
    // Each has a message group of its own, and with it a request: others could not be given up alone.
    const hurried = Array.from({ length: PLAIN_LOOPS + MESSAGE_GROUPS }, async () => {
      while (hasty > 0 && !signal.aborted) await send('ordered', 1, `hasty-${hasty--}`, 1 + HASTY_MS * chance());
    });
    await Promise.all(hurried);
    const stored = sent.filter(({ failure }) => failure === undefined);
    const isDone = (): boolean => {
      const seen = new Set(handled.map(({ id }) => id));
      return signal.aborted || stored.every(({ id }) => seen.has(id));
    };
    await eventually(isDone, Boolean, HANDLED_MS);
  } finally {
    const closing = consumers.map((consumer) => consumer.close({ shutdownGraceMs: GRACE_MS }));
    await within(Promise.all(closing), CLOSE_MS, 'the close of the consumers');
    await within(producer.close(), CLOSE_MS, 'the close of the producer');
    connection.close();
  }
  return { sent, handled, doubted };
}

async function sendOne(
  producer: Producer,
  kind: Kind,
  { id, body, messageGroup }: { readonly id: string; readonly body: Buffer; readonly messageGroup: string | undefined },
  timeoutMs: number,
): Promise<Sent> {
  const digest = digestOf(body);
  const message = { topic: TOPICS[kind], body, properties: { [ID]: id }, ...(messageGroup && { messageGroup }) };
  try {
    await producer.send(message, { timeoutMs });
    return { id, digest };
  } catch (error) {
    const { code, outcome } = RocketMQError.is(error) ? error : { code: '', outcome: 'unknown' };
    const text = String(error);
    // grpc-java resets the stream when the deadline of the call has passed there, which may be a moment earlier.
    const isLate = code === 'DEADLINE_EXCEEDED' || outcome === 'not-sent' || text.includes('HTTP/2 code CANCEL');
    return { id, digest, failure: { text, outcome, isHaste: timeoutMs < SEND_MS && isLate } };
  }
}

function consumerOf(connection: Connection, kind: Kind, handled: Handled[], doubted: Set<string>): PushConsumer {
  const doubt = (message: MessageView): void => void doubted.add(nameOf(message));
  return new PushConsumer(connection, {
    consumerGroup: GROUPS[kind],
    subscriptions: [{ topic: TOPICS[kind] }],
    requireFifo: kind === 'ordered',
    handler: (message) => void handled.push({ id: nameOf(message), digest: digestOf(message.body) }),
    events: { onLeaseLost: doubt, onSettleFailed: doubt },
  });
}

function nameOf({ properties }: MessageView): string {
  return properties[ID] ?? '';
}

/** The size is as likely to have few digits as many. */
function bodyOf(chance: Chance, maxBytes: number): Buffer {
  return randomBytes(Math.floor(maxBytes ** chance()));
}

function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('base64');
}
