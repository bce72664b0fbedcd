// Clients of all kinds behind one face: this library without a proxy and with one, and npm's rocketmq-client-nodejs.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';

/** So that no consumer takes everything. */
const HANDLING_MS = 5;
const REQUEST_TIMEOUT_MS = 30_000;
/** TransactionResolution of the protocol, which the Node client does not export. */
const [UNKNOWN, COMMIT, ROLLBACK] = [0, 1, 2];
const SILENT = { debug() {}, info() {}, warn() {}, error() {}, close() {} };

/** A message to send. Its name travels as a property. */
export interface Outgoing {
  /** Unique. */
  readonly name: string;
  readonly topic: string;
  readonly body: string;
  readonly tag?: string;
  readonly keys?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
  readonly messageGroup?: string;
  /** Only the Java client has it. */
  readonly delayLevel?: number;
  readonly deliverAtMs?: number;
}

/** A message as a consumer saw it. */
export interface Seen {
  readonly id: string;
  readonly topic: string;
  /** Its hash. */
  readonly body: string;
  readonly tag: string | null;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly messageGroup: string | null;
  readonly attempt: number;
  readonly bornMs: number | null;
  readonly deliverAtMs: number | null;
}

interface Consumption {
  readonly topic: string;
  readonly group: string;
  /** The Java client then pulls; a group that the server keeps in order is so for the others. */
  readonly ordered?: boolean;
  readonly onSeen: (seen: Seen) => void;
}

export interface Participant {
  readonly name: string;
  send(message: Outgoing): Promise<unknown>;
  /** Sends a half message and leaves: others have to answer its checks. */
  begin(message: Outgoing): Promise<unknown>;
  consume(options: Consumption): Promise<void>;
  /** Commits what is named "... commit", rolls back the rest. */
  answerChecks(topic: string, report: (name: string) => void): Promise<void>;
  close(): Promise<void>;
}

export function ownParticipant(name: string, endpoints: string): Participant {
  const connection = new Connection({ endpoints, requestTimeoutMs: REQUEST_TIMEOUT_MS });
  const producer = new Producer(connection, { compression: { thresholdBytes: 4096 } });
  const opened: { close(): Promise<void> }[] = [producer];
  const messageOf = ({ name: title, deliverAtMs, delayLevel: _, ...rest }: Outgoing) => ({
    ...rest,
    properties: { name: title, ...rest.properties },
    ...(deliverAtMs !== undefined && { deliverAt: new Date(deliverAtMs) }),
  });
  return {
    name,
    send: (message) => producer.send(messageOf(message)),
    async begin(message) {
      const beginner = new Producer(connection, { transactionCheckers: { [message.topic]: () => 'unknown' } });
      await beginner.beginTransaction(messageOf(message));
      await beginner.close();
    },
    async consume({ topic, group, onSeen }) {
      const consumer = new PushConsumer(connection, {
        consumerGroup: group,
        subscriptions: [{ topic }],
        handler: async (view) => {
          await sleep(HANDLING_MS);
          onSeen({
            id: view.messageId,
            topic: view.topic,
            body: hashOf(view.body),
            tag: view.tag ?? null,
            keys: view.keys,
            properties: { ...view.properties },
            messageGroup: view.messageGroup ?? null,
            attempt: view.deliveryAttempt,
            bornMs: view.bornTimestampMs,
            deliverAtMs: view.deliveryTimestampMs ?? null,
          });
        },
      });
      opened.push(consumer);
      await consumer.start();
    },
    async answerChecks(topic, report) {
      const checker = new Producer(connection, {
        localTransactionTimeoutMs: 1_000,
        transactionCheckers: {
          [topic]: ({ message: { properties }, mayStillRun }) => {
            if (!mayStillRun) report(properties.name ?? '');
            return properties.name?.endsWith('commit') ? 'commit' : 'rollback';
          },
        },
      });
      opened.push(checker);
      await checker.start();
    },
    async close() {
      for (const one of opened.reverse()) await one.close();
      connection.close();
    },
  };
}

export function nodeParticipant(client: typeof import('rocketmq-client-nodejs'), endpoints: string): Participant {
  const options = { endpoints, namespace: '', requestTimeout: REQUEST_TIMEOUT_MS, logger: SILENT };
  const closers: (() => Promise<unknown>)[] = [];
  let ordinary: Promise<import('rocketmq-client-nodejs').Producer> | undefined;
  const started = async (more: import('rocketmq-client-nodejs').ProducerOptions = {}) => {
    const producer = new client.Producer({ ...options, ...more });
    await producer.startup();
    closers.push(() => producer.shutdown());
    return producer;
  };
  const messageOf = ({ name, body, keys, properties, deliverAtMs, delayLevel: _, ...rest }: Outgoing) => ({
    ...rest,
    ...(keys !== undefined && { keys: [...keys] }),
    body: Buffer.from(body),
    properties: new Map(Object.entries({ name, ...properties })),
    ...(deliverAtMs !== undefined && { deliveryTimestamp: new Date(deliverAtMs) }),
  });
  return {
    name: 'node',
    async send(message) {
      ordinary ??= started();
      return (await ordinary).send(messageOf(message));
    },
    async begin(message) {
      const beginner = new client.Producer({
        ...options,
        topic: message.topic,
        checker: { check: async () => UNKNOWN },
      });
      await beginner.startup();
      await beginner.send(messageOf(message), beginner.beginTransaction());
      await beginner.shutdown();
    },
    async consume({ topic, group, onSeen }) {
      const consumer = new client.PushConsumer({
        ...options,
        consumerGroup: group,
        subscriptions: new Map([[topic, '*']]),
        messageListener: {
          consume: async (view) => {
            // The client counts in place.
            const attempt = view.deliveryAttempt;
            await sleep(HANDLING_MS);
            onSeen({
              id: view.messageId,
              topic: view.topic,
              body: hashOf(view.body),
              tag: view.tag || null,
              keys: view.keys,
              properties: Object.fromEntries(view.properties),
              messageGroup: view.messageGroup || null,
              attempt: attempt ?? 0,
              bornMs: bornOf(view),
              deliverAtMs: view.deliveryTimestamp?.getTime() ?? null,
            });
            return client.ConsumeResult.SUCCESS;
          },
        },
      });
      await consumer.startup();
      closers.push(() => consumer.shutdown());
    },
    async answerChecks(topic, report) {
      await started({
        topic,
        checker: {
          check: async (view) => {
            const title = view.properties.get('name') ?? '';
            report(title);
            return title.endsWith('commit') ? COMMIT : ROLLBACK;
          },
        },
      });
    },
    async close() {
      for (const close of closers) await close();
    },
  };
}

/** Its types do not list it. */
function bornOf({ bornTimestamp }: import('rocketmq-client-nodejs').MessageView & { bornTimestamp?: Date }) {
  return bornTimestamp?.getTime() ?? null;
}

export function hashOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
