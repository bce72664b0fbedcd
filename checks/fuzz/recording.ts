// Records valid requests of a real exchange with the broker, from which hostile ones are derived.
// Handles and transaction ids are valid for a limited time; record again when they have expired.

import { toDuration } from '../../libs/rocketmq/src/protocol/grpc/duration.js';
import {
  ClientType,
  FilterType,
  type Message,
  MessageType,
  type Settings,
  type SystemProperties,
} from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { type RpcName, type RpcRequest, rpcMethod } from '../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { messagesIn } from '../../tools/wire/broker-wire.js';
import {
  consumerSettings,
  message,
  producerSettings,
  RawClient,
  receiveRequest,
  resource,
} from '../../tools/wire/raw-grpc-client.js';

/** The command-line options that the broker needs before it is recorded. */
export const FUZZ_TOPICS = [
  'plain:normal:2',
  'steps:fifo:2',
  'later:delay:2',
  'paid:transaction:2',
  'first:priority:2',
  'filtered:normal:1',
];
export const FILTERED_TOPIC = 'filtered';
/** Each of these groups receives all messages of the topic. */
export const FILTERING_GROUPS = ['pickers-0', 'pickers-1', 'pickers-2', 'pickers-3'];
export const FUZZ_GROUPS = [
  'readers:normal:3',
  'ordered:fifo:3',
  ...FILTERING_GROUPS.map((group) => `${group}:normal:3`),
];
export const TOPIC = 'plain';
export const GROUP = 'readers';
const ORDERED_GROUP = 'ordered';
const HANDLES = 24;
/** Long enough to be recalled. Afterwards they are ordinary messages, which retention deletes. */
const DELAY_MS = 5_000;

/** A request that the broker would accept, and the clients that can send it. */
export interface RecordedRequest<N extends RpcName = RpcName> {
  readonly rpc: N;
  readonly clientId: string;
  readonly request: RpcRequest<N>;
}

export type Recording = readonly RecordedRequest[];

/** The client ids of all requests. A fixed set, because the broker keeps each for two minutes. */
const PRODUCERS = ['fuzz-0', 'fuzz-1', 'fuzz-2', 'fuzz-3'];
export const CONSUMERS: readonly string[] = ['fuzz-4', 'fuzz-5', 'fuzz-6', 'fuzz-7'];
export const CLIENT_IDS: readonly string[] = [...PRODUCERS, ...CONSUMERS];

/** Uses the broker like well-behaved clients, and keeps their telemetry streams open until it is closed. */
export class Recorder {
  private clients: RawClient[] = [];
  private turn = 0;

  constructor(private readonly endpoints: string) {}

  async record(): Promise<Recording> {
    const before = this.clients;
    this.clients = CLIENT_IDS.map((clientId) => new RawClient(this.endpoints, clientId));
    await Promise.all(this.clients.map((client) => client.settle(settingsOf(client.clientId))));
    for (const client of before) client.close();
    const [producer] = this.clients;
    const consumer = this.clients.find(({ clientId }) => clientId === CONSUMERS[0]);
    if (producer === undefined || consumer === undefined) throw new Error('there are no clients');
    return [...withoutHandles(this.nextId()), ...(await this.withHandles(producer, consumer)), ...notServed()];
  }

  /** Terminates all clients and closes them. */
  async close(): Promise<void> {
    const goodbyes = this.clients.map((client) =>
      client
        .settle(settingsOf(client.clientId))
        .then(() => client.call('notifyClientTermination', { group: resource(GROUP) })),
    );
    await Promise.all(goodbyes);
    for (const client of this.clients.splice(0)) client.close();
  }

  private nextId(): string {
    return `recorded-${this.turn++}`;
  }

  /** Requests with handles and ids that the broker issued. */
  private async withHandles(producer: RawClient, consumer: RawClient): Promise<RecordedRequest[]> {
    for (let sent = 0; sent < HANDLES; sent++)
      await producer.call('sendMessage', { messages: [message(TOPIC, this.nextId())] });
    const received = messagesIn(await consumer.receive(receiveRequest(TOPIC, GROUP)));
    const settling = received.flatMap((one, index) => settlingOf(one, index));
    const ends: RecordedRequest[] = [];
    for (let sent = 0; sent < 8; sent++) ends.push(await this.transaction(producer), await this.recall(producer));
    return [...settling, ...ends];
  }

  private async transaction(producer: RawClient): Promise<RecordedRequest> {
    const half = message('paid', this.nextId(), { messageType: MessageType.TRANSACTION });
    const [entry] = (await producer.call('sendMessage', { messages: [half] })).entries;
    const { messageId = '', transactionId = '' } = entry ?? {};
    const fields = { topic: resource('paid'), messageId, transactionId, resolution: 1 + (this.turn % 2), source: 1 };
    return recorded('endTransaction', producer.clientId, { ...fields, traceContext: '' });
  }

  private async recall(producer: RawClient): Promise<RecordedRequest> {
    const [entry] = (await producer.call('sendMessage', { messages: [delayed(this.nextId())] })).entries;
    return recorded('recallMessage', producer.clientId, {
      topic: resource('later'),
      recallHandle: entry?.recallHandle ?? '',
    });
  }
}

function settlingOf({ systemProperties }: Message, index: number): RecordedRequest[] {
  const { receiptHandle = '', messageId = '' } = systemProperties ?? {};
  const handle = { group: resource(GROUP), topic: resource(TOPIC), receiptHandle, messageId };
  const clientId = CONSUMERS[index % CONSUMERS.length] as string;
  switch (index % 3) {
    case 0:
      return [recorded('ackMessage', clientId, { ...handle, entries: [{ messageId, receiptHandle }] })];
    case 1:
      return [recorded('changeInvisibleDuration', clientId, { ...handle, invisibleDuration: toDuration(20_000) })];
    default:
      return [
        recorded('forwardMessageToDeadLetterQueue', clientId, {
          ...handle,
          deliveryAttempt: 1,
          maxDeliveryAttempts: 3,
        }),
      ];
  }
}

function withoutHandles(id: string): RecordedRequest[] {
  const endpoints = { scheme: 1, addresses: [{ host: '127.0.0.1', port: 8081 }] };
  const filter = { type: FilterType.SQL, expression: "colour = 'grün' AND weight BETWEEN 1 AND 5" };
  const send = (topic: string, system: Partial<SystemProperties> = {}) =>
    recorded('sendMessage', PRODUCERS[0] as string, { messages: [message(topic, id, system)] });
  return [
    ...CLIENT_IDS.map((clientId) =>
      recorded('telemetry', clientId, { command: { $case: 'settings', value: settingsOf(clientId) } }),
    ),
    ...CONSUMERS.map((clientId) => recorded('heartbeat', clientId, { group: resource(GROUP), clientType: 3 })),
    ...PRODUCERS.map((clientId) => recorded('heartbeat', clientId, { clientType: 1 })),
    ...[...FUZZ_TOPICS, 'nowhere:x'].map((topic) =>
      recorded('queryRoute', 'fuzz-0', { topic: resource(topic.split(':')[0] as string), endpoints }),
    ),
    recorded('queryAssignment', 'fuzz-4', { topic: resource(TOPIC), group: resource(GROUP), endpoints }),
    send(TOPIC, { tag: 'paid', keys: ['a', 'b'] }),
    send('steps', { messageType: MessageType.FIFO, messageGroup: 'one' }),
    send('paid', { messageType: MessageType.TRANSACTION, orphanedTransactionRecoveryDuration: toDuration(20_000) }),
    send('first', { messageType: MessageType.PRIORITY, priority: 3 }),
    recorded('sendMessage', 'fuzz-1', { messages: [delayed(id)] }),
    recorded('sendMessage', 'fuzz-1', { messages: [message(TOPIC, `${id}a`), message(TOPIC, `${id}b`)] }),
    ...CONSUMERS.map((clientId) => recorded('receiveMessage', clientId, receiveRequest(TOPIC, GROUP))),
    recorded('receiveMessage', 'fuzz-5', {
      ...receiveRequest(TOPIC, GROUP),
      filterExpression: filter,
      attemptId: 'again',
    }),
    recorded('receiveMessage', 'fuzz-6', { ...receiveRequest('steps', ORDERED_GROUP), attemptId: 'again' }),
    recorded('receiveMessage', 'fuzz-7', { ...receiveRequest('first', GROUP), autoRenew: true }),
    recorded('notifyClientTermination', 'fuzz-3', {}),
    recorded('notifyClientTermination', 'fuzz-7', { group: resource(GROUP) }),
  ];
}

/** RPCs of the protocol that neither a real server nor this broker implements. */
function notServed(): RecordedRequest[] {
  const messageQueue = { topic: resource(TOPIC), id: 0, permission: 3, acceptMessageTypes: [] };
  const place = { group: resource(GROUP), messageQueue };
  return [
    recorded('pullMessage', 'fuzz-4', { ...place, offset: 0n, batchSize: 1 }),
    recorded('updateOffset', 'fuzz-4', { ...place, offset: 1n }),
    recorded('getOffset', 'fuzz-4', place),
    recorded('queryOffset', 'fuzz-4', { messageQueue }),
    recorded('syncLiteSubscription', 'fuzz-4', { topic: resource(TOPIC), group: resource(GROUP), liteTopicSet: ['a'] }),
  ];
}

function delayed(id: string): Message {
  const deliveryTimestamp = new Date(Date.now() + DELAY_MS);
  return message('later', id, { messageType: MessageType.DELAY, deliveryTimestamp });
}

function settingsOf(clientId: string): Settings {
  if (PRODUCERS.includes(clientId)) return producerSettings(TOPIC, 'paid');
  return consumerSettings(GROUP, clientId === 'fuzz-7' ? ClientType.PUSH_CONSUMER : ClientType.SIMPLE_CONSUMER);
}

/** A request with these fields; the others are empty. */
export function recorded<N extends RpcName>(rpc: N, clientId: string, fields: Partial<RpcRequest<N>>): RecordedRequest {
  const request = { ...rpcMethod(rpc).request.decode(new Uint8Array()), ...fields };
  return { rpc, clientId, request } as unknown as RecordedRequest;
}
