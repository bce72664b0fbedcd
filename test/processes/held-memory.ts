// Fills an embedded broker with one kind of content until it rejects more, and prints what it counts and what the heap really holds. It is a
// process of its own, so that nothing else is on the heap: memory-limit.long.spec.ts runs it.

import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EmbeddedBroker } from '../../libs/rocketmq/src/broker/embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../../libs/rocketmq/src/broker/embedded-broker-options.js';
import {
  ClientType,
  Code,
  type Message,
} from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { HOUR_MS } from '../../libs/rocketmq/src/support/clock.js';
import { consumerSettings, message, RawClient, receiveRequest, resource } from '../../tools/wire/raw-grpc-client.js';

/** What the spec reads, as JSON. */
export interface HeldMemory {
  readonly limitBytes: number;
  readonly countedBytes: number;
  readonly heldBytes: number;
}

const MEBIBYTE = 1024 * 1024;
const LIMIT_BYTES = 4 * MEBIBYTE;
const BATCH = 10;
const LANES = 8;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

let serial = 0;
const text = (length: number): string => randomBytes(length).toString('base64url').slice(0, length);
const nextId = (): string => `0100AABB${(serial++).toString(16).padStart(24, '0')}`;

/** A message without properties, but for what is given. */
function sent(
  topic: string,
  fields: Partial<Message> = {},
  system: Partial<Message['systemProperties']> = {},
): Message {
  return { ...message(topic, nextId(), system), userProperties: {}, body: Buffer.from('x'), ...fields };
}

function properties(count: number, value: () => string): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}${text(4)}`, value()]));
}

/** @returns the code of an answer: anything but OK ends the filling */
type Fill = (client: RawClient, broker: EmbeddedBroker) => Promise<Code | undefined>;

const sends =
  (make: () => Message, batch = BATCH): Fill =>
  async (client) => {
    const messages = Array.from({ length: batch }, make);
    return (await client.call('sendMessage', { messages })).status?.code;
  };

async function receives(client: RawClient): Promise<Code | undefined> {
  const items = await client.receive({ ...receiveRequest('t', 'g', HOUR_MS), batchSize: 32 });
  const [status] = items.flatMap(({ content }) => (content?.$case === 'status' ? [content.value.code] : []));
  return status;
}

interface Case {
  readonly name: string;
  readonly options?: EmbeddedBrokerOptions;
  /** What is there before, and does not count. */
  readonly before?: Fill;
  readonly fill: Fill;
}

const tools: EmbeddedBrokerOptions = { nameServerPort: 0 };
const CASES: readonly Case[] = [
  { name: 'bodies of one byte', fill: sends(() => sent('t')) },
  { name: 'bodies of one byte, sent alone', fill: sends(() => sent('t'), 1) },
  { name: 'bodies of 1 KiB', fill: sends(() => sent('t', { body: Buffer.alloc(1024, 1) })) },
  { name: 'bodies of 100 KiB', fill: sends(() => sent('t', { body: Buffer.alloc(102_400, 1) }), 1) },
  { name: 'many properties', fill: sends(() => sent('t', { userProperties: properties(100, () => text(20)) })) },
  { name: 'long properties', fill: sends(() => sent('t', { userProperties: properties(1, () => text(16_000)) })) },
  {
    name: 'long properties of two bytes a character',
    fill: sends(() => sent('t', { userProperties: properties(1, () => `ж${text(8_000)}`) })),
  },
  { name: 'keys', fill: sends(() => sent('t', {}, { keys: Array.from({ length: 50 }, () => text(20)) })) },
  {
    name: 'keys that are indexed',
    options: tools,
    fill: sends(() => sent('t', {}, { keys: Array.from({ length: 50 }, () => text(20)) })),
  },
  {
    name: 'keys as one text',
    fill: sends(() => sent('t', {}, { keys: [Array.from({ length: 400 }, () => text(20)).join(' ')] })),
  },
  { name: 'long ids', options: tools, fill: sends(() => sent('t', {}, { messageId: text(20_000) })) },
  { name: 'long trace contexts', fill: sends(() => sent('t', {}, { traceContext: text(20_000) })) },
  { name: 'message groups', fill: sends(() => sent('f', {}, { messageGroup: text(60) })) },
  { name: 'half messages', fill: sends(() => sent('x', {}, { messageType: 4 }), 1) },
  {
    name: 'delayed messages',
    options: tools,
    fill: sends(() => sent('d', {}, { deliveryTimestamp: new Date(Date.now() + HOUR_MS) })),
  },
  {
    name: 'lite topics',
    options: { topics: [{ name: 'l', type: 'lite' }] },
    fill: sends(() => sent('l', {}, { liteTopic: text(60) })),
  },
  {
    name: 'topics of first use',
    fill: async (client) => (await client.call('queryRoute', { topic: resource(`t-${text(100)}`) })).status?.code,
  },
  {
    name: 'topics with a message each',
    fill: async (client) => (await client.call('sendMessage', { messages: [sent(`t-${text(100)}`)] })).status?.code,
  },
  {
    name: 'groups of first use',
    fill: async (client) => {
      const group = resource(`g-${text(100)}`);
      return (await client.call('heartbeat', { clientType: ClientType.SIMPLE_CONSUMER, group })).status?.code;
    },
  },
  { name: 'deliveries', before: sends(() => sent('t')), fill: receives },
];

async function fillUp(client: RawClient, broker: EmbeddedBroker, fill: Fill): Promise<void> {
  let last = Code.OK as Code | undefined;
  const lane = async (): Promise<void> => {
    while (last === Code.OK) {
      const code = await fill(client, broker);
      if (code !== Code.OK) last = code;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  if (last !== Code.TOO_MANY_REQUESTS) throw new Error(`the broker answers ${last} when it is full`);
}

function heapBytes(): number {
  for (let time = 0; time < 3; time++) collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function measure({ options, before, fill }: Case): Promise<HeldMemory> {
  const broker = new EmbeddedBroker({ maxMemoryBytes: LIMIT_BYTES, ...options });
  await broker.start();
  const client = new RawClient(broker.endpoints, 'filling');
  await client.settle(consumerSettings('g'));
  // What is compiled and cached by the first use does not count.
  for (let time = 0; time < 5; time++) await (before ?? fill)(client, broker);
  const { store } = broker.inside;
  const [emptyBytes, ignoredBytes] = [heapBytes(), store.usedBytes()];
  if (before !== undefined) await fillUp(client, broker, before);
  await fillUp(client, broker, fill);
  client.close();
  await broker.stop();
  // The broker keeps its messages when it is stopped.
  const heldBytes = heapBytes() - emptyBytes + ignoredBytes;
  return { limitBytes: LIMIT_BYTES, countedBytes: store.usedBytes(), heldBytes };
}

const [wanted] = process.argv.slice(2);
const found = CASES.find(({ name }) => name === wanted);
if (found === undefined) throw new Error(`there is no case ${wanted}`);
process.stdout.write(JSON.stringify(await measure(found)));
