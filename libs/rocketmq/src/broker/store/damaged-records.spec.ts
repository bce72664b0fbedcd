// Records that were changed on disk.

import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { open as openLmdb } from 'lmdb';
import { BrokerWire, messagesIn, statusIn } from '../../../../../tools/wire/broker-wire.js';
import { message, type RawClient, receiveRequest, resource } from '../../../../../tools/wire/raw-grpc-client.js';
import { RocketMQAdmin } from '../../admin/rocketmq-admin.js';
import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { SystemClock } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import type { EmbeddedBroker } from '../embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';
import { keyToBytes } from './key-bytes.js';
import { LmdbStore } from './lmdb-store.js';
import { nameOfRecord } from './records.js';
import type { Key } from './store.js';

const wire = new BrokerWire();
let folder: string;
let logged: string[];
const logger: Logger = { debug() {}, info() {}, warn() {}, error: (text) => void logged.push(text) };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'damaged-'));
  logged = [];
});

afterEach(async () => {
  await wire.close();
  await rm(folder, { recursive: true });
});

const dataFile = (): string => join(folder, 'messages.mdb');

/** Flips a bit of the file at this distance from the given bytes, which must occur once. */
async function damage(bytes: Buffer, behind = 0): Promise<void> {
  const found = await readFile(dataFile());
  const places: number[] = [];
  for (let at = found.indexOf(bytes); at >= 0; at = found.indexOf(bytes, at + 1)) places.push(at);
  expect(places.length).toBeGreaterThan(0);
  const file = await open(dataFile(), 'r+');
  // Pages of earlier commits have the bytes, too.
  for (const at of places) await file.write(Buffer.from([(found[at + behind] as number) ^ 4]), 0, 1, at + behind);
  await file.close();
}

describe('a store whose disk changed a record', () => {
  const reported: string[] = [];
  const store = (): LmdbStore =>
    new LmdbStore({
      folder,
      flush: 'sync',
      clock: new SystemClock(),
      nameOf: nameOfRecord,
      failed: () => {},
      damaged: ({ message }) => reported.push(message),
    });
  const key = (offset: number): Key => ['log', 'orders', 0, offset];
  const body = (offset: number): Buffer => Buffer.from(`this is the body of ${offset}`);

  async function filled(): Promise<void> {
    const filling = store();
    await filling.open();
    filling.write([0, 1, 2].map((offset) => ({ kind: 'put', key: key(offset), value: { body: body(offset) } })));
    await filling.close();
    reported.length = 0;
  }

  const places = [
    ['its body', () => body(1), 3],
    ['its checksum', () => keyToBytes(key(1)), keyToBytes(key(1)).length + 2],
    ['the mark of its checksum', () => keyToBytes(key(1)), keyToBytes(key(1)).length],
    ['its key', () => keyToBytes(key(1)), 7],
  ] as const;
  // The records of format 2 have checksums, too, and may have the form of today's.
  it.each(places.flatMap((place) => [3, 2].map((format) => [format, ...place] as const)))(
    'of format %s returns no wrong value when %s changed, names the record, and reads all others',
    async (format, _what, bytes, behind) => {
      await filled();
      await damage(bytes(), behind);
      await writeFile(join(folder, 'broker.json'), JSON.stringify({ format, state: 'complete' }));
      const damaged = store();
      await damaged.open();
      expect(() => [...damaged.scan(['log'])]).toThrow(expect.objectContaining({ code: 'DATA_DAMAGED' }));
      expect(reported[0]).toContain('its checksum is wrong');
      const read = [...damaged.scan(['log'], { tolerant: true })].map(([, value]) => value);
      expect(read.filter((value) => value !== undefined)).toEqual([{ body: body(0) }, { body: body(2) }]);
      expect(damaged.get(key(0))).toEqual({ body: body(0) });
      await damaged.close();
    },
  );

  it('names the damaged message by topic, queue and offset', async () => {
    await filled();
    await damage(body(1));
    const damaged = store();
    await damaged.open();
    expect(() => damaged.get(key(1))).toThrow(/the message of topic "orders", queue 0, offset 1 cannot be read/);
    await damaged.close();
  });

  it('reads the messages of an older version, adds checksums to its records, and completes an upgrade that was interrupted', async () => {
    const message = (offset: number) => ({
      messageId: `${offset}`,
      body: body(offset),
      keys: [],
      properties: {},
      earlierAttempts: 0,
    });
    const put = async (offsets: readonly number[]): Promise<void> => {
      const older = openLmdb({
        path: dataFile(),
        noSubdir: true,
        keyEncoding: 'binary',
        encoding: 'msgpack',
        overlappingSync: false,
        encoder: { useRecords: false, copyBuffers: true } as never,
      });
      if (older.getBinary(Buffer.from([0])) === undefined) await older.put(Buffer.from([0]), 'nestjs-rocketmq broker');
      for (const offset of offsets) await older.put(keyToBytes(key(offset)), message(offset));
      await older.close();
    };
    const offsets = Array.from({ length: 200 }, (_, offset) => offset);
    for (const [unsealed, format] of [
      [offsets, { format: 1, state: 'complete' }],
      [[70, 150, 199], { format: 3, state: 'upgrading' }],
    ] as const) {
      await put(unsealed);
      await writeFile(join(folder, 'broker.json'), JSON.stringify(format));
      const upgraded = store();
      await upgraded.open();
      expect(offsets.map((offset) => upgraded.get(key(offset)))).toEqual(offsets.map((offset) => message(offset)));
      await upgraded.close();
      expect(JSON.parse(await readFile(join(folder, 'broker.json'), 'utf8'))).toEqual({ format: 3, state: 'complete' });
    }
    await damage(body(70));
    const damaged = store();
    await damaged.open();
    expect(() => damaged.get(key(70))).toThrow('its checksum is wrong');
    await damaged.close();
  });
});

describe('a broker whose disk changed a message', () => {
  const options: EmbeddedBrokerOptions = {
    nameServerPort: 0,
    topics: [
      { name: 'orders', queues: 1 },
      { name: 'steps', queues: 1, type: 'fifo' },
    ],
    groups: [{ name: 'g' }, { name: 'ordered', fifo: true }],
  };

  /** A broker on the folder, whose message "b" of three in a queue has been changed. */
  async function damagedBroker(
    topic: string,
    messageGroup?: string,
    [bytes, behind]: [Buffer, number] = [Buffer.from('body of b'), 0],
  ): Promise<EmbeddedBroker> {
    const before = await wire.broker({ ...options, data: folder });
    const client = wire.client(before);
    for (const id of ['a', 'b', 'c']) {
      await client.call('sendMessage', { messages: [message(topic, id, messageGroup ? { messageGroup } : {})] });
    }
    await before.stop();
    await damage(bytes, behind);
    return wire.broker({ ...options, data: folder, logger });
  }

  const receive = async (inbox: RawClient, topic: string, group: string) => {
    const items = await inbox.receive(receiveRequest(topic, group));
    return {
      status: statusIn(items),
      messages: messagesIn(items),
      text: items.map(({ content }) => (content?.$case === 'status' ? content.value.message : '')).join(''),
    };
  };
  const idsIn = (messages: ReturnType<typeof messagesIn>) => messages.map(({ body }) => body.toString());

  it.each([
    ['orders', 'g', undefined],
    ['steps', 'ordered', 'one'],
  ])(
    'delivers the messages before it, then names it, and continues after it on request: %s',
    async (topic, group, messageGroup) => {
      const broker = await damagedBroker(topic, messageGroup);
      const inbox = await wire.consumer(broker, group);
      const { messages } = await receive(inbox, topic, group);
      expect(idsIn(messages)).toEqual(['body of a']);
      const [first] = messages;
      const { messageId = '', receiptHandle = '' } = first?.systemProperties ?? {};
      await inbox.call('ackMessage', {
        group: resource(group),
        topic: resource(topic),
        entries: [{ messageId, receiptHandle }],
      });

      const named = `the message of topic "${topic}", queue 0, offset 1 cannot be read`;
      const rejected = await receive(inbox, topic, group);
      expect([rejected.status, rejected.messages]).toEqual([Code.INTERNAL_SERVER_ERROR, []]);
      expect(rejected.text).toContain(named);
      expect(logged).toEqual([expect.stringContaining(named)]);

      const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
      const to = { kind: 'offset', broker: 'embedded', queueId: 0, offset: 2 } as const;
      await admin.rewindGroup({ consumerGroup: group, topic, to });
      await admin.close();
      expect(idsIn((await receive(inbox, topic, group)).messages)).toEqual(['body of c']);
    },
  );

  it('reports a message as missing when its position is lost, instead of skipping to the next one', async () => {
    const broker = await damagedBroker('orders', undefined, [keyToBytes(['log', 'orders', 0, 1]), 7]);
    const inbox = await wire.consumer(broker, 'g');
    expect(idsIn((await receive(inbox, 'orders', 'g')).messages)).toEqual(['body of a']);
    expect((await receive(inbox, 'orders', 'g')).text).toContain('queue 0, offset 1 cannot be read, it is missing');
  });

  it('serves other topics, and deletes the damaged one on request', async () => {
    const broker = await damagedBroker('orders');
    const inbox = await wire.consumer(broker, 'g');
    await wire.client(broker).call('sendMessage', { messages: [message('other', 'd')] });
    expect(idsIn((await receive(inbox, 'other', 'g')).messages)).toEqual(['body of d']);
    void broker.inside.store.flush();
    const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
    await admin.deleteTopic('orders');
    await admin.close();
    expect([...broker.inside.store.scan(['log', 'orders'], { tolerant: true })]).toEqual([]);
  });

  it('keeps a delayed message that it cannot read, and logs it when the message is due', async () => {
    const clock = new ManualClock();
    const before = await wire.broker({ clock, data: folder });
    const deliveryTimestamp = new Date(clock.nowMs() + 60_000);
    await wire
      .client(before)
      .call('sendMessage', { messages: [message('later', 'x', { deliveryTimestamp, messageType: 3 })] });
    await before.stop();
    await damage(Buffer.from('body of x'));
    const broker = await wire.broker({ clock, data: folder, logger });
    for (let hour = 1; hour <= 3; hour++) clock.advanceTo(clock.nowMs() + 3_600_000);
    expect(logged).toEqual([expect.stringContaining('the delayed message "x" of topic "later" cannot be read')]);
    expect([...broker.inside.store.scan(['delayed'], { tolerant: true })]).toHaveLength(1);
  });
});
