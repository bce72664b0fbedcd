// What a step works with: clients that are closed after it, what it received, and lines that say so without ids or times.

import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const REQUEST_TIMEOUT_MS = 10_000;
const AWAIT_MS = 5_000;
const TIMEOUT_MS = 90_000;
const POLL_MS = 20;
const QUIET_MS = 8_000;
const INVISIBLE_MS = 30_000;
/** The client writes a log file into the home unless given a logger; `close` must exist, or it closes nothing. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {}, close() {} };

/**
 * @typedef {import('rocketmq-client-nodejs').MessageView} MessageView
 * @typedef {import('rocketmq-client-nodejs').SimpleConsumer} SimpleConsumer
 * @typedef {import('rocketmq-client-nodejs').Producer} Producer
 *
 * The attempt as it was then: the client counts in place.
 * @typedef {{ view: MessageView, attempt: number, atMs: number }} Delivery
 *
 * A message to send: its topic is a purpose, its properties an object.
 * @typedef {Omit<import('rocketmq-client-nodejs').Message, 'body' | 'properties'>
 *   & { body?: Buffer | string, properties?: Record<string, string> }} Outgoing
 *
 * What may be compared of a delivery.
 * @typedef {ReturnType<World['describe']>} Described
 *
 * @typedef {Record<string, (world: World) => Promise<void>>} Steps by name
 */

export class World {
  /** @type {Map<string, { label: string, deliverAt?: number }>} what was sent, by id */
  #sent = new Map();
  /** @type {(() => Promise<unknown>)[]} */
  #closers = [];
  /** @type {Promise<Producer> | undefined} */
  #producer;

  /** @param {{ client: typeof import('rocketmq-client-nodejs'), endpoints: string, prefix: string, step: string }} options */
  constructor({ client, endpoints, prefix, step }) {
    this.client = client;
    this.prefix = prefix;
    this.step = step;
    this.options = { endpoints, namespace: '', requestTimeout: REQUEST_TIMEOUT_MS, logger: SILENT };
  }

  /** @param {string} purpose of a topic or group */
  name(purpose) {
    return purpose.startsWith('%DLQ%') ? `%DLQ%${this.prefix}${purpose.slice(5)}` : `${this.prefix}${purpose}`;
  }

  /** @param {string} what unique in its step @param {object} [facts] */
  emit(what, facts = {}) {
    process.stdout.write(`${JSON.stringify({ step: this.step, what, ...facts })}\n`);
  }

  /**
   * Runs a call and prints its code: 20000, the server's, or that the client rejected by itself.
   * @template T @param {string} what @param {() => Promise<T>} call
   * @returns {Promise<T | undefined>} undefined when it failed
   */
  async code(what, call) {
    try {
      const result = await call();
      this.emit(what, { code: 20000 });
      return result;
    } catch (error) {
      this.emit(what, { code: codeOf(error) });
      return undefined;
    }
  }

  /** @param {import('rocketmq-client-nodejs').ProducerOptions} [options] */
  async producer(options = {}) {
    const producer = new this.client.Producer({ ...this.options, ...options });
    await producer.startup();
    this.onClose(() => producer.shutdown());
    return producer;
  }

  /**
   * Sends a message that is called `label` from then on.
   * @param {string} label @param {Outgoing} message
   * @param {{ producer?: Producer, transaction?: import('rocketmq-client-nodejs').Transaction }} [by]
   */
  async send(label, { topic, body = label, properties = {}, ...rest }, { producer, transaction } = {}) {
    const sender = producer ?? (await this.sender());
    const message = {
      topic: this.name(topic),
      body: Buffer.from(body),
      properties: new Map(Object.entries(properties)),
      ...rest,
    };
    const receipt = await sender.send(message, transaction);
    this.#sent.set(receipt.messageId, { label, deliverAt: rest.deliveryTimestamp?.getTime() });
    return receipt;
  }

  /** The producer of messages that name none. */
  sender() {
    this.#producer ??= this.producer();
    return this.#producer;
  }

  /** @param {{ topic: string, group: string, filter?: string, sql?: string }} options purposes */
  async simpleConsumer({ topic, group, filter = '*', sql }) {
    const expression = sql === undefined ? filter : new this.client.FilterExpression(sql, 2);
    const consumer = new this.client.SimpleConsumer({
      ...this.options,
      consumerGroup: this.name(group),
      subscriptions: new Map([[this.name(topic), expression]]),
      awaitDuration: AWAIT_MS,
    });
    await consumer.startup();
    this.onClose(() => consumer.shutdown());
    return consumer;
  }

  /**
   * @param {{ topic: string, group: string, consume?: (label: string, attempt: number) => unknown }} options `consume` fails
   *   the message by returning false
   */
  async pushConsumer({ topic, group, consume = () => true }) {
    /** @type {Delivery[]} */
    const deliveries = [];
    const { ConsumeResult } = this.client;
    const consumer = new this.client.PushConsumer({
      ...this.options,
      consumerGroup: this.name(group),
      subscriptions: new Map([[this.name(topic), '*']]),
      messageListener: {
        consume: async (view) => {
          const delivery = { view, attempt: view.deliveryAttempt, atMs: Date.now() };
          deliveries.push(delivery);
          const ok = await consume(view.body.toString(), delivery.attempt);
          return ok === false ? ConsumeResult.FAILURE : ConsumeResult.SUCCESS;
        },
      },
    });
    await consumer.startup();
    this.onClose(() => consumer.shutdown());
    return { consumer, deliveries };
  }

  /** Receives until `count` messages are there. @param {SimpleConsumer} consumer @param {number} count */
  async receive(consumer, count, invisibleMs = INVISIBLE_MS) {
    /** @type {Delivery[]} */
    const deliveries = [];
    const endsAt = Date.now() + TIMEOUT_MS;
    while (deliveries.length < count) {
      if (Date.now() > endsAt) throw new Error(`${deliveries.length} of ${count} messages came in ${TIMEOUT_MS} ms`);
      deliveries.push(...(await this.receiveOnce(consumer, invisibleMs)));
    }
    return deliveries;
  }

  /** Receives until there is a message. @param {SimpleConsumer} consumer @returns {Promise<Delivery>} the first */
  async receiveFirst(consumer, invisibleMs = INVISIBLE_MS) {
    const [first] = await this.receive(consumer, 1, invisibleMs);
    if (first === undefined) throw new Error('no message came');
    return first;
  }

  /** One long poll. @param {SimpleConsumer} consumer @returns {Promise<Delivery[]>} */
  async receiveOnce(consumer, invisibleMs = INVISIBLE_MS) {
    const views = await consumer.receive(16, invisibleMs);
    return views.map((view) => ({ view, attempt: view.deliveryAttempt, atMs: Date.now() }));
  }

  /** @param {SimpleConsumer} consumer @param {number} count */
  async receiveAndAck(consumer, count) {
    const deliveries = await this.receive(consumer, count);
    for (const { view } of deliveries) await consumer.ack(view);
    return deliveries;
  }

  /**
   * Receives and acks until nothing has come for some time. A poll may end at once when all it found was filtered out.
   * @param {SimpleConsumer} consumer
   */
  async drain(consumer) {
    /** @type {Delivery[]} */
    const deliveries = [];
    for (let quietSince = Date.now(); Date.now() - quietSince < QUIET_MS; ) {
      const received = await this.receiveOnce(consumer);
      for (const { view } of received) await consumer.ack(view);
      if (received.length > 0) quietSince = Date.now();
      else await sleep(POLL_MS);
      deliveries.push(...received);
    }
    return deliveries;
  }

  /** @param {() => unknown} condition @param {string} what */
  async until(condition, what, timeoutMs = TIMEOUT_MS) {
    const endsAt = Date.now() + timeoutMs;
    while (!condition()) {
      if (Date.now() > endsAt) throw new Error(`${timeoutMs} ms passed, waiting for ${what}`);
      await sleep(POLL_MS);
    }
  }

  /** @param {number} ms */
  sleep(ms) {
    return sleep(ms);
  }

  /** Tries again what needs a topic that is made by the server. @template T @param {() => Promise<T>} call */
  async retry(call) {
    const endsAt = Date.now() + TIMEOUT_MS;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (Date.now() > endsAt) throw error;
        await sleep(500);
      }
    }
  }

  /** What may be compared of a delivery. @param {Delivery} delivery */
  describe({ view, attempt, atMs }) {
    const sent = this.#sent.get(view.messageId);
    const known = [...this.#sent.keys()];
    const properties = [...view.properties].map(
      ([key, value]) =>
        /** @type {const} */ ([key, known.includes(value) ? `id of ${this.#sent.get(value)?.label}` : value]),
    );
    return {
      message: sent?.label ?? 'unknown id',
      topic: view.topic.replace(this.prefix, ''),
      body: createHash('sha256').update(view.body).digest('hex').slice(0, 16),
      bytes: view.body.length,
      tag: view.tag || null,
      keys: view.keys,
      properties: Object.fromEntries(properties.sort(([one], [other]) => (one < other ? -1 : 1))),
      group: view.messageGroup || null,
      priority: view.priority ?? null,
      attempt,
      bornHost: view.bornHost === hostname() ? 'own' : view.bornHost,
      deliverAt: deliverAtOf(view.deliveryTimestamp?.getTime(), sent?.deliverAt),
      early: sent?.deliverAt !== undefined && atMs < sent.deliverAt - 1000,
    };
  }

  /** In the order of their arrival. @param {readonly Delivery[]} deliveries @returns {Described[]} */
  inOrder(deliveries) {
    return deliveries.map((delivery) => this.describe(delivery));
  }

  /** For topics of several queues, which promise no order. @param {readonly Delivery[]} deliveries */
  inAnyOrder(deliveries) {
    const rank = (/** @type {Described} */ { message, attempt }) => `${message} ${String(attempt).padStart(3, '0')}`;
    return this.inOrder(deliveries).sort((one, other) => (rank(one) < rank(other) ? -1 : 1));
  }

  /** @param {() => Promise<unknown>} close */
  onClose(close) {
    this.#closers.push(close);
  }

  async close() {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) await close();
  }
}

/** @param {unknown} error */
function codeOf(error) {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'number') return at.code;
    // A recall's error carries its code in the text alone.
    const [, code] = /\(code: (\d+)\)/.exec(at.message) ?? [];
    if (code !== undefined) return Number(code);
  }
  return 'rejected by the client';
}

/** @param {number | undefined} receivedMs @param {number | undefined} sentMs */
function deliverAtOf(receivedMs, sentMs) {
  if (receivedMs === undefined) return null;
  return receivedMs === sentMs ? 'as sent' : 'another';
}
