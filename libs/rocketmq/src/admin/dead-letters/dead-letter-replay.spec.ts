// What a replay does when it is interrupted. The contract proves on both servers that a replay works.

import { afterEach, describe, expect, it } from '@jest/globals';
import { ScriptedCluster } from '../../../../../test/fixtures/scripted-cluster.js';
import type { ScriptedReply } from '../../../../../test/fixtures/scripted-remoting-server.js';
import { placeOfMessageGroup } from '../../protocol/model/layout.js';
import { encodeStoredMessage, type StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import { RocketMQAdmin } from '../rocketmq-admin.js';
import { REPLAY_PROPERTY } from './dead-letter-destination.js';
import type { ReplayInterruptedError } from './dead-letter-replay.js';

const cluster = new ScriptedCluster();
const admins: RocketMQAdmin[] = [];
afterEach(async () => {
  for (const admin of admins.splice(0)) await admin.close();
  await cluster.close();
});

const letter = (offset: number, properties: Record<string, string> = {}): StoredMessageFields => ({
  topic: '%DLQ%g',
  queueId: 0,
  queueOffset: offset,
  commitLogOffset: 0,
  sysFlag: 0x301 | 8,
  flag: 5,
  bodyCrc: 0,
  bornTimestampMs: 77,
  bornHost: '127.0.0.1:1',
  storeTimestampMs: 2,
  storeHost: '127.0.0.1:2',
  reconsumeTimes: 3,
  preparedTransactionOffset: 0,
  body: Buffer.from(`body ${offset}`),
  properties: new Map(
    Object.entries({ UNIQ_KEY: `id-${offset}`, RETRY_TOPIC: '%RETRY%g_orders', TAGS: 'a', user: 'Ada', ...properties }),
  ),
});

/** A broker with dead letters in one queue, and its answers to each send, in turn. */
async function adminWith(
  letters: readonly StoredMessageFields[],
  sends: readonly ScriptedReply[],
  indexed: readonly StoredMessageFields[] = [],
) {
  let sent = 0;
  const { nameServer, brokers, protect, configure } = await cluster.start([
    ({ code, fields }): ScriptedReply => {
      if (code === 300) return { body: '{"groupList":["g","h"]}' };
      if (code === 202) {
        const key = '{"brokerName":"broker-0","queueId":0,"topic":"%DLQ%g"}';
        return { body: `{"offsetTable":{${key}:{"minOffset":0,"maxOffset":${letters.length}}}}` };
      }
      if (code === 11) {
        const start = Number(fields.queueOffset);
        const page = letters.slice(start, start + Math.min(2, Number(fields.maxMsgNums)));
        const nextBeginOffset = String(start + page.length);
        return { fields: { nextBeginOffset }, body: Buffer.concat(page.map(encodeStoredMessage)) };
      }
      if (code === 12) {
        const [begin, end] = [Number(fields.beginTimestamp), Number(fields.endTimestamp)];
        const isMeant = ({ properties, storeTimestampMs: atMs }: StoredMessageFields) =>
          properties.get('UNIQ_KEY') === fields.key && atMs >= begin && atMs <= end;
        const found = indexed.filter(isMeant).slice(-32);
        return found.length === 0 ? { code: 22 } : { body: Buffer.concat(found.map(encodeStoredMessage)) };
      }
      return code === 10 ? sends[sent++] : { code: 3 };
    },
  ]);
  const admin = new RocketMQAdmin({ nameServer: nameServer.address, timeoutMs: 5_000 });
  admins.push(admin);
  const requests = () => (brokers[0]?.requests ?? []).filter(({ code }) => code === 10);
  return { admin, requests, protect, configure };
}

const stored: ScriptedReply = { fields: { queueId: '1', queueOffset: '9' } };

describe('a replay', () => {
  it('sends what a consumer sees, without properties that the server had set', async () => {
    const old = { DELAY: '3', TIMER_DELIVER_MS: '5', TRAN_MSG: 'true', REAL_TOPIC: 'x', ORIGIN_GROUP: 'g', KEYS: 'k' };
    const { admin, requests } = await adminWith([letter(0, old)], [stored]);
    await admin.replayDeadLetters('g');
    const [request] = requests();
    expect(request?.fields).toMatchObject({ topic: 'orders', queueId: '-1', sysFlag: String(0x301), flag: '5' });
    expect(request?.fields.bornTimestamp).toBe('77');
    const properties = request?.fields.properties?.split('\u0002').map((pair) => pair.split('\u0001')[0]);
    expect(properties).toEqual(['UNIQ_KEY', 'TAGS', 'user', 'KEYS', REPLAY_PROPERTY, '']);
  });

  it('keeps a born time at either end of what servers can store', async () => {
    const letters = [2 ** 63, -(2 ** 63)].map((bornTimestampMs, offset) => ({ ...letter(offset), bornTimestampMs }));
    const { admin, requests } = await adminWith(letters, [stored, stored]);
    await admin.replayDeadLetters('g');
    const times = requests().map(({ fields }) => fields.bornTimestamp);
    expect(times).toEqual(['9223372036854775807', '-9223372036854775808']);
  });

  it('continues after a dead letter that cannot be sent, and reports why', async () => {
    const { admin } = await adminWith(
      [letter(0), letter(1, { RETRY_TOPIC: '%RETRY%other' }), letter(2)],
      [{ code: 13, remark: 'message illegal' }, stored],
    );
    const result = await admin.replayDeadLetters('g');
    expect(result.replayed.map(({ deadLetter }) => deadLetter.messageId)).toEqual(['id-2']);
    expect(result.failed.map(({ deadLetter, error }) => [deadLetter.messageId, error.code])).toEqual([
      ['id-0', 'MESSAGE_ILLEGAL'],
      ['id-1', 'ORIGIN_UNKNOWN'],
    ]);
  });

  it.each([
    ['does not answer', undefined, 'DEADLINE_EXCEEDED', true, 'id-1'],
    ['is too busy', { code: 2, remark: 'busy' }, 'SYSTEM_BUSY', true, undefined],
    ['says what nobody knows', { code: 999 }, 'RESPONSE_999', false, 'id-1'],
  ])(
    'ends where the server %s, reports what was done, and continues there',
    async (...[, failure, code, retryable, inFlight]) => {
      const { admin } = await adminWith([letter(0), letter(1), letter(2)], [stored, failure, stored, stored]);
      const error = await admin.replayDeadLetters('g', { timeoutMs: 2_000 }).then(
        () => undefined,
        (reason: ReplayInterruptedError) => reason,
      );
      expect(error).toMatchObject({ code: 'REPLAY_INTERRUPTED', outcome: 'unknown', retryable, cause: { code } });
      const next = 'replay:broker-0/0/1,broker-0/0/3';
      expect(error?.done).toMatchObject({ replayed: [{ deadLetter: { messageId: 'id-0' } }], next });
      expect(error?.inFlight?.messageId).toBe(inFlight);
      const rest = await admin.replayDeadLetters('g', { after: error?.done.next });
      expect(rest.replayed.map(({ deadLetter }) => deadLetter.messageId)).toEqual(['id-1', 'id-2']);
    },
  );

  it('treats a message as sent that is stored but not yet on disk or on a slave', async () => {
    const answers = [10, 11, 12].map((code) => ({ ...stored, code }));
    const { admin } = await adminWith([letter(0), letter(1), letter(2)], answers);
    const { replayed } = await admin.replayDeadLetters('g');
    expect(replayed).toMatchObject(Array(3).fill({ topic: 'orders', broker: 'broker-0', queueId: 1, queueOffset: 9 }));
  });

  it('skips a dead letter whose replay is already in the topic, but not another dead letter of the same message', async () => {
    const replays = ['g/broker-0/0/0', 'g/broker-0/0/7'].map((mark, index) => {
      return { ...letter(index, { [REPLAY_PROPERTY]: mark }), topic: 'orders' };
    });
    const { admin } = await adminWith([letter(0), letter(1)], [stored], replays);
    const result = await admin.replayDeadLetters('g');
    expect(result.replayedBefore.map(({ messageId }) => messageId)).toEqual(['id-0']);
    expect(result.replayed.map(({ deadLetter }) => deadLetter.messageId)).toEqual(['id-1']);
  });

  /** Copies of one message, from its first dead letter on. @param everyMs how long after each other they were stored */
  const copies = (count: number, everyMs: number): StoredMessageFields[] =>
    Array.from({ length: count }, (_, index) => ({
      ...letter(0, { [REPLAY_PROPERTY]: `g/broker-0/0/${index}` }),
      topic: 'orders',
      queueOffset: index,
      storeTimestampMs: 1_000 + index * everyMs,
    }));

  it('finds its copy behind more copies of the message than one answer of a server has', async () => {
    const { admin } = await adminWith([letter(0)], [stored], copies(300, 1_000));
    const skipped = { replayedBefore: [{ messageId: 'id-0' }], failed: [] };
    expect(await admin.replayDeadLetters('g')).toMatchObject({ ...skipped, replayed: [] });
    expect(await admin.planReplay('g')).toMatchObject({ ...skipped, planned: [] });
  });

  it.each([
    ['by far', copies(1_000, 1_000)],
    ['at one time', copies(40, 0)],
  ])('is not sent where its copy may be among too many, %s, unless it is to go again', async (_, indexed) => {
    const { admin } = await adminWith([letter(0)], [stored], indexed);
    const failed = [{ deadLetter: { messageId: 'id-0' }, error: { code: 'REPLAY_UNKNOWN', outcome: 'not-sent' } }];
    expect(await admin.replayDeadLetters('g')).toMatchObject({ replayed: [], failed });
    expect(await admin.planReplay('g')).toMatchObject({ planned: [], failed });
    expect((await admin.replayDeadLetters('g', { again: true })).replayed).toHaveLength(1);
  });
});

describe('a replay that fails', () => {
  it('says what was sent before the caller declined to select', async () => {
    const { admin } = await adminWith([letter(0), letter(1)], [stored]);
    const select = ({ queueOffset }: { readonly queueOffset: number }): boolean => {
      if (queueOffset === 1) throw new TypeError('mine');
      return true;
    };
    await expect(admin.replayDeadLetters('g', { select })).rejects.toMatchObject({
      code: 'REPLAY_INTERRUPTED',
      done: { replayed: [{ queueId: 1 }], next: 'replay:broker-0/0/1,broker-0/0/2' },
    });
  });

  it('sends nothing to a topic that may not be written to, as its plan says', async () => {
    const { admin, requests, protect } = await adminWith([letter(0)], [stored]);
    protect();
    const failed = [{ deadLetter: { messageId: 'id-0' }, error: { code: 'ORIGIN_READ_ONLY', outcome: 'not-sent' } }];
    await expect(admin.planReplay('g')).resolves.toMatchObject({ planned: [], failed });
    await expect(admin.replayDeadLetters('g')).resolves.toMatchObject({ replayed: [], failed });
    expect(requests()).toEqual([]);
  });

  it('sends nothing of a message group elsewhere while its broker is missing, as its plan says', async () => {
    const letters = Array.from({ length: 8 }, (_, offset) => letter(offset, { __SHARDINGKEY: `group-${offset}` }));
    const { admin, requests, configure } = await adminWith(letters, Array(8).fill(stored));
    configure('broker-0:4;broker-gone:4');
    const layout = ['broker-0', 'broker-gone'].map((brokerName) => ({ brokerName, queues: 4 }));
    const first = letters.findIndex(
      (_, offset) => placeOfMessageGroup(layout, `group-${offset}`).brokerName !== 'broker-0',
    );
    expect(first).toBeGreaterThan(0);
    const cause = { code: 'MESSAGE_GROUP_UNAVAILABLE', outcome: 'not-sent', retryable: true };
    const { planned, failed } = await admin.planReplay('g');
    expect(planned.filter(({ deadLetter }) => deadLetter.queueOffset < first)).toHaveLength(first);
    expect(planned.length + failed.length).toBe(letters.length);
    expect(failed[0]).toMatchObject({ deadLetter: { messageId: `id-${first}` }, error: cause });
    await expect(admin.replayDeadLetters('g')).rejects.toMatchObject({ code: 'REPLAY_INTERRUPTED', cause });
    expect(requests()).toHaveLength(first);
  });
});

describe('a replay page by page', () => {
  /** As where a listener fails again at what is replayed. */
  async function adminOfFailing(count: number) {
    const letters = Array.from({ length: count }, (_, offset) => letter(offset));
    const { admin } = await adminWith(letters, Array(100).fill(stored));
    return { admin, failAgain: () => letters.push(letter(letters.length)) };
  }

  it.each(['replayDeadLetters', 'planReplay'] as const)(
    'ends with the dead letters that were there at the first %s',
    async (method) => {
      const { admin, failAgain } = await adminOfFailing(5);
      const offsets: number[] = [];
      let after: string | undefined;
      do {
        const page = await admin[method]('g', { limit: 2, after });
        const letters = 'replayed' in page ? page.replayed : page.planned;
        offsets.push(...letters.map(({ deadLetter }) => deadLetter.queueOffset));
        for (const _ of letters) failAgain();
        after = page.next && JSON.parse(JSON.stringify(page.next));
      } while (after !== undefined && offsets.length < 50);
      expect(offsets).toEqual([0, 1, 2, 3, 4]);
    },
  );

  it('goes on from its plan and after an interruption, and ends there as well', async () => {
    const { admin, failAgain } = await adminOfFailing(4);
    const { next } = await admin.planReplay('g', { limit: 1 });
    failAgain();
    const select = ({ queueOffset }: { readonly queueOffset: number }): boolean => {
      if (queueOffset === 2) throw new TypeError('mine');
      return true;
    };
    const interrupted = admin.replayDeadLetters('g', { after: next, select });
    const error = await interrupted.then(
      () => undefined,
      (reason: ReplayInterruptedError) => reason,
    );
    expect(error?.done.replayed.map(({ deadLetter }) => deadLetter.queueOffset)).toEqual([1]);
    const rest = await admin.replayDeadLetters('g', { after: error?.done.next });
    expect(rest.replayed.map(({ deadLetter }) => deadLetter.queueOffset)).toEqual([2, 3]);
    expect(rest.next).toBeUndefined();
  });

  it('begins with the dead letter at a position', async () => {
    const { admin } = await adminOfFailing(4);
    const { planned, next } = await admin.planReplay('g', { after: 'broker-0/0/1', limit: 2 });
    expect(planned.map(({ deadLetter }) => deadLetter.queueOffset)).toEqual([1, 2]);
    expect(next).toBe('replay:broker-0/0/3,broker-0/0/4');
  });

  it('reads no more than its queue has, whatever end the caller brings', async () => {
    const { admin } = await adminOfFailing(2);
    const { planned, next } = await admin.planReplay('g', {
      after: `replay:broker-0/0/0,broker-0/0/${'9'.repeat(19)}`,
    });
    expect(planned).toHaveLength(2);
    expect(next).toBeUndefined();
  });

  it.each([
    ['is empty', ''],
    ['is nothing', null as never],
    ['is a number', 7 as never],
    ['has no end', 'replay:broker-0/0/1'],
    ['has the end of another queue first', 'replay:broker-0/0/1,broker-0/1/3'],
    ['is behind its end', 'replay:broker-0/0/4,broker-0/0/3'],
    ['has a queue twice', 'replay:broker-0/0/1,broker-0/0/3,broker-0/0/4'],
    ['has its queues in another order', 'replay:broker-0/0/1,broker-0/0/3,a/0/4'],
    ['has an end without an offset', 'replay:broker-0/0/1,broker-0/0/'],
    ['is of another call', 'newest:broker-0/0/1'],
    ['is endless', `replay:broker-0/0/1${Array.from({ length: 10_001 }, (_, id) => `,broker-0/${id}/3`).join('')}`],
  ])('is rejected before anything is sent where its position %s', async (_, after) => {
    const { admin, requests } = await adminWith([letter(0), letter(1)], [stored]);
    for (const method of ['replayDeadLetters', 'planReplay'] as const) {
      const error: Error = await admin[method]('g', { after }).then(
        () => new Error('not rejected'),
        (reason: Error) => reason,
      );
      expect(error).toMatchObject({ code: 'ILLEGAL_POSITION', message: expect.stringContaining('"next" of a replay') });
      expect(error.message.length).toBeLessThan(500);
    }
    expect(requests()).toEqual([]);
  });

  it('is not taken for the position of a list', async () => {
    const { admin } = await adminOfFailing(3);
    const { next } = await admin.planReplay('g', { limit: 1 });
    await expect(admin.listDeadLetters('g', { after: next })).rejects.toMatchObject({ code: 'ILLEGAL_POSITION' });
  });
});

describe('a replay of what was exported', () => {
  it('sends it as its queue has stored it', async () => {
    const { admin, requests } = await adminWith([letter(0, { __SHARDINGKEY: 'a' })], [stored, stored]);
    const { exported } = await admin.exportDeadLetters('g');
    const copy = JSON.parse(JSON.stringify(exported));
    await admin.replayDeadLetters('g');
    await admin.replayDeadLetters('g', { exported: copy });
    const [first, second] = requests();
    expect(second?.fields).toEqual(first?.fields);
    expect(second?.body).toEqual(first?.body);
  });

  it.each([
    ['is of another group', { consumerGroup: 'h' }, 'exported[0] is of group h, not g'],
    ['has no position', { position: 'x' }, 'exported[0] is wrong: position must be a position'],
    ['has another field', { topics: 'x' }, 'exported[0] is wrong: topics is unknown'],
    ['has too many bytes of properties', { properties: { a: 'x'.repeat(40_000) } }, '32767 are the most'],
  ])('is rejected where one %s', async (_, change, problem) => {
    const { admin, requests } = await adminWith([letter(0)], [stored]);
    const { exported } = await admin.exportDeadLetters('g');
    const wrong = exported.map((one) => ({ ...one, ...change })) as typeof exported;
    for (const call of [admin.replayDeadLetters('g', { exported: wrong }), admin.planReplay('g', { exported: wrong })])
      await expect(call).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', message: expect.stringContaining(problem) });
    expect(requests()).toEqual([]);
  });

  it('is rejected together with a page, and beyond the size of a page', async () => {
    const { admin } = await adminWith([letter(0)], []);
    const { exported } = await admin.exportDeadLetters('g');
    const many = Array.from({ length: 101 }, () => exported[0] as (typeof exported)[number]);
    for (const options of [{ exported, limit: 1 }, { exported, after: 'broker-0/0/0' }, { exported: many }])
      await expect(admin.replayDeadLetters('g', options)).rejects.toMatchObject({ code: 'ILLEGAL_OPTION' });
  });
});

describe('the plan of a replay', () => {
  it('has the order of the dead letters, though it looks up several at once', async () => {
    const letters = Array.from({ length: 40 }, (_, offset) => letter(offset));
    const { admin } = await adminWith(letters, []);
    const { planned } = await admin.planReplay('g', { limit: 40, timeoutMs: 30_000 });
    expect(planned.map(({ deadLetter, consumerGroups }) => [deadLetter.messageId, ...consumerGroups])).toEqual(
      letters.map((_, offset) => [`id-${offset}`, 'g', 'h']),
    );
  });
});

describe('a page of dead letters', () => {
  it('has the requested length, however few messages the server returns at once', async () => {
    const letters = [0, 1, 2, 3, 4].map((offset) => letter(offset));
    const { admin } = await adminWith(letters, []);
    const page = await admin.listDeadLetters('g', { limit: 3 });
    expect(page.deadLetters.map(({ queueOffset }) => queueOffset)).toEqual([0, 1, 2]);
    expect(page).toMatchObject({ next: 'broker-0/0/3', total: 5 });
    const rest = await admin.listDeadLetters('g', { after: page.next });
    expect(rest.deadLetters.map(({ queueOffset }) => queueOffset)).toEqual([3, 4]);
    expect(rest.next).toBeUndefined();
  });
});
