import { crc32 } from 'node:zlib';
import { afterEach } from '@jest/globals';
import { Connection } from '../../libs/rocketmq/src/client/connection.js';
import { SimpleConsumer } from '../../libs/rocketmq/src/consumer/simple/simple-consumer.js';
import { Producer } from '../../libs/rocketmq/src/producer/producer.js';
import type { ProducerOptions } from '../../libs/rocketmq/src/producer/producer-options.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import { encodeStoredMessage } from '../../libs/rocketmq/src/protocol/remoting/stored-message.js';
import type { Logger } from '../../libs/rocketmq/src/support/logger.js';
import { type BrokerScript, ScriptedCluster } from './scripted-cluster.js';

/** How each release writes itself into its answers. */
export const RELEASES = { v550: 513, v533: 479, v514: 441, v500: 413, v497: 407 };
export const TOPIC = 'orders';
export const GROUP = 'shop';
export const STORED = { fields: { msgId: `${'0'.repeat(16)}000000000000002A`, queueId: '0', queueOffset: '7' } };
export const UNTYPED = { body: '{"attributes":{}}' };
export const EMPTY = { code: RESPONSE_CODES.pollingTimeout };

/** What a broker of 5.5.0 answers, unless the script says otherwise. */
export const broker =
  (script: (...about: Parameters<BrokerScript>) => ReturnType<BrokerScript> | 'usual'): BrokerScript =>
  (request, socket) => {
    const version = RELEASES.v550;
    const own = script(request, socket);
    if (own !== 'usual') return own === undefined ? undefined : { version, ...own };
    const { code } = request;
    if (code === CODES.getTopicConfig) return { version, ...UNTYPED };
    if (code === CODES.getSubscriptionGroupConfig) return { version, body: '{"retryMaxTimes":16}' };
    if (code === CODES.sendMessageV2 || code === CODES.sendBatchMessage) return { version, ...STORED };
    return { version, ...(code === CODES.popMessage ? EMPTY : {}) };
  };
export const usual = broker(() => 'usual');

/** An answer to a poll with one message. @param reconsumeTimes how often it was delivered before, where the group is not ordered */
export function popped(
  fields: Record<string, string> = {},
  body = Buffer.from('x'),
  properties = new Map([['UNIQ_KEY', 'THE-ID']]),
  reconsumeTimes = 0,
) {
  const times = { bornTimestampMs: 1, bornHost: '127.0.0.1:1', storeTimestampMs: 2, storeHost: '127.0.0.1:2' };
  const place = { topic: TOPIC, queueId: 1, queueOffset: 9, commitLogOffset: 55, preparedTransactionOffset: 0 };
  const marks = { sysFlag: 0, flag: 0, bodyCrc: crc32(Buffer.from('x')) & 0x7f_ff_ff_ff, reconsumeTimes };
  const stored = encodeStoredMessage({ ...place, ...times, ...marks, properties, body });
  const about = { popTime: '1000', invisibleTime: '10000', reviveQid: '3', startOffsetInfo: '0 1 8', ...fields };
  return { fields: about, body: stored };
}

/** @returns scripted clusters and clients on them, for one `describe`; all are closed after each of its cases */
export function gatewayWorld() {
  const cluster = new ScriptedCluster();
  const closers: (() => Promise<unknown> | unknown)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await cluster.close();
  });

  /** @param others scripts of name servers that are asked after the first */
  async function connected(
    scripts: readonly BrokerScript[],
    requestTimeoutMs = 1_000,
    logger?: Logger,
    others: readonly BrokerScript[] = [],
  ) {
    const { nameServer, brokers, ...changes } = await cluster.start(scripts);
    const nameServers = [nameServer, ...(await Promise.all(others.map((script) => cluster.server(script))))];
    const endpoints = `name-server:${nameServers.map(({ address }) => address).join(';')}`;
    const connection = new Connection({ endpoints, requestTimeoutMs, logger });
    closers.push(() => connection.close());
    const sent = (code: number) => brokers.flatMap(({ requests }) => requests.filter((one) => one.code === code));
    return { connection, brokers, sent, ...changes };
  }

  async function producerOn(
    scripts: readonly BrokerScript[],
    options: ProducerOptions = {},
    requestTimeoutMs?: number,
    others?: readonly BrokerScript[],
  ) {
    const { connection, ...rest } = await connected(scripts, requestTimeoutMs, undefined, others);
    const producer = new Producer(connection, options);
    closers.push(() => producer.close());
    return { producer, ...rest };
  }

  async function consumerOn(script: BrokerScript) {
    const { connection, ...rest } = await connected([script]);
    const consumer = new SimpleConsumer(connection, { consumerGroup: GROUP, subscriptions: [{ topic: TOPIC }] });
    closers.push(() => consumer.close());
    return { consumer, ...rest };
  }

  return { cluster, closers, connected, producerOn, consumerOn };
}
