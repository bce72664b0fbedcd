import { describe, expect, it } from '@jest/globals';
import { broker, gatewayWorld, popped, TOPIC } from '../../../../test/fixtures/gateway-world.js';
import type { ScriptedReply } from '../../../../test/fixtures/scripted-remoting-server.js';
import { until } from '../../../../tools/until.js';
import { Connection } from '../client/connection.js';
import { Producer } from '../producer/producer.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import { encodeFrame } from '../protocol/remoting/frame.js';
import { decodeProperties } from '../protocol/remoting/stored-message.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { ManualClock } from '../support/manual-clock.js';

describe('a transaction that its broker has committed', () => {
  const { cluster, closers } = gatewayWorld();

  /** Commits a transaction on a broker that checks its id nevertheless. @param between what happens before @returns how it was ended */
  async function ends(
    between: 'nothing' | 'the connection ends' | 'its id is sent anew' | 'another instance sends its id',
  ): Promise<unknown[]> {
    const isAway = between === 'the connection ends';
    let answer: 'commit' | 'unknown' = 'commit';
    let check = (_half: string, _bornTimestampMs: number): void => {};
    let leave = (): void => {};
    let registrations = 0;
    const { nameServer, brokers } = await cluster.start([
      broker(({ code }, socket) => {
        if (code !== CODES.heartBeat) return 'usual';
        registrations++;
        leave = () => socket?.destroy();
        check = (half, bornTimestampMs) => {
          const fields = { tranStateTableOffset: '11', commitLogOffset: '77', msgId: 'HALF', transactionId: 'HALF' };
          const frame = { code: CODES.checkTransactionState, opaque: 1_000, isOneWay: true, fields };
          const { body } = popped({}, Buffer.from('x'), decodeProperties(half), 0, bornTimestampMs);
          socket?.write(encodeFrame({ ...frame, body }));
        };
        return 'usual';
      }),
    ]);
    const sent = (code: number) => brokers.flatMap(({ requests }) => requests.filter((one) => one.code === code));
    const clock = new ManualClock();
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, clock });
    closers.push(() => connection.close());
    const producer = new Producer(connection, { transactionCheckers: { [TOPIC]: () => answer } });
    closers.push(() => producer.close());
    await producer.start();
    const message = { topic: TOPIC, body: 'x', messageId: 'HALF' };
    await producer.transact({ message }, async () => {});
    if (between === 'its id is sent anew') {
      answer = 'unknown';
      const failed = producer.transact({ message }, () => Promise.reject(new Error('no answer of the database')));
      await expect(failed).rejects.toThrow('no answer of the database');
      answer = 'commit';
    }
    // A check that arrives at once may have crossed the commit, and is not answered.
    await clock.advanceTo(clock.nowMs() + MINUTE_MS);
    const before = registrations;
    if (isAway) leave();
    await until(async () => {
      if (!isAway || registrations > before) return true;
      await clock.advanceTo(clock.nowMs() + SECOND_MS);
      return false;
    });
    const { g: bornAt, i: half = '' } = sent(CODES.sendMessageV2)[0]?.fields ?? {};
    check(half, Number(bornAt) + (between === 'another instance sends its id' ? 1 : 0));
    await until(() => sent(CODES.endTransaction).length === 2);
    return sent(CODES.endTransaction).map(({ fields }) => [fields.commitOrRollback, fields.commitLogOffset]);
  }

  it('is not committed a second time when it is checked: the copy of the check is dropped', async () => {
    expect(await ends('nothing')).toEqual([
      ['8', '42'],
      ['12', '77'],
    ]);
  });

  it('is committed again after its broker was away, since it may have lost the commit', async () => {
    expect(await ends('the connection ends')).toEqual([
      ['8', '42'],
      ['8', '77'],
    ]);
  });

  it('is committed when a new message had its id meanwhile, since that is another one', async () => {
    expect(await ends('its id is sent anew')).toEqual([
      ['8', '42'],
      ['8', '77'],
    ]);
  });

  it('is committed when the message with its id is a new one of another instance', async () => {
    expect(await ends('another instance sends its id')).toEqual([
      ['8', '42'],
      ['8', '77'],
    ]);
  });
});

describe('a transaction whose id another open one has', () => {
  const { closers, producerOn } = gatewayWorld();

  it.each([
    ['is committed where its own half message is, when the older one is checked', 'unknown', [['8', '42']]],
    [
      'is committed beside the older one, whose check names another place',
      'commit',
      [
        ['8', '77'],
        ['8', '42'],
      ],
    ],
  ] as const)('%s', async (_, answer, expected) => {
    let check = (): void => {};
    const script = broker(({ code }, socket) => {
      if (code !== CODES.heartBeat) return 'usual';
      check = () => {
        const fields = { tranStateTableOffset: '11', commitLogOffset: '77', msgId: 'HALF', transactionId: 'HALF' };
        const frame = { code: CODES.checkTransactionState, opaque: 1_000, isOneWay: true, fields };
        const properties = new Map([
          ['UNIQ_KEY', 'HALF'],
          ['rocketmq-transaction-owner', TOPIC],
        ]);
        const { body } = popped({}, Buffer.from('the older one'), properties);
        socket?.write(encodeFrame({ ...frame, body }));
      };
      return 'usual';
    });
    const asked: string[] = [];
    const checker = ({ message }: { readonly message: { readonly body: Buffer } }) => {
      asked.push(message.body.toString());
      return answer;
    };
    const { producer, sent } = await producerOn([script], { transactionCheckers: { [TOPIC]: checker } }, 10_000);
    closers.push(() => producer.close());
    await producer.start();
    await producer.transact({ message: { topic: TOPIC, body: 'the newer one', messageId: 'HALF' } }, async () => {
      check();
      await until(() => asked.length === 1 && (answer === 'unknown' || sent(CODES.endTransaction).length === 1));
    });
    await until(() => sent(CODES.endTransaction).length === expected.length);
    const ends = sent(CODES.endTransaction).map(({ fields }) => [fields.commitOrRollback, fields.commitLogOffset]);
    expect(ends).toEqual(expected);
    expect(sent(CODES.endTransaction).map(({ fields }) => fields.transactionId)).toEqual(ends.map(() => 'HALF'));
    expect(asked).toEqual(['the older one']);
  });
});

describe('a transaction that another instance may have committed', () => {
  const { closers, producerOn } = gatewayWorld();
  const properties = new Map([
    ['UNIQ_KEY', 'HALF'],
    ['rocketmq-transaction-owner', TOPIC],
  ]);
  const half = (body = 'x') => popped({}, Buffer.from(body), properties).body;

  /** @param lookUp what the broker answers to the look-up of the message @returns how the check of it is answered */
  async function endOf(lookUp: ScriptedReply): Promise<string | undefined> {
    let check: (() => void) | undefined;
    const script = broker(({ code }, socket) => {
      if (code === CODES.queryMessage) return lookUp;
      if (code !== CODES.heartBeat) return 'usual';
      check = () => {
        const fields = { tranStateTableOffset: '11', commitLogOffset: '77', msgId: 'HALF', transactionId: 'HALF' };
        const frame = { code: CODES.checkTransactionState, opaque: 1_000, isOneWay: true, fields };
        socket?.write(encodeFrame({ ...frame, body: half() }));
      };
      return 'usual';
    });
    const { producer, sent } = await producerOn([script], { transactionCheckers: { [TOPIC]: () => 'commit' } }, 10_000);
    closers.push(() => producer.close());
    await producer.start();
    // The session with the broker begins with a topic.
    await producer.send({ topic: TOPIC, body: 'x' });
    await until(() => check !== undefined);
    check?.();
    await until(() => sent(CODES.endTransaction).length === 1);
    expect(sent(CODES.queryMessage)[0]?.fields).toMatchObject({ topic: TOPIC, key: 'HALF', _UNIQUE_KEY_QUERY: 'true' });
    return sent(CODES.endTransaction)[0]?.fields.commitOrRollback;
  }

  it('is not committed again when its message is in the topic', async () => {
    expect(await endOf({ body: half() })).toBe('12');
  });

  it.each<[string, ScriptedReply]>([
    ['it is not in the topic', { code: RESPONSE_CODES.queryNotFound }],
    ['another message has its id', { body: half('another') }],
    ['one as long, born in the same millisecond, has its id', { body: half('y') }],
    ['the broker does not say', { code: RESPONSE_CODES.noPermission }],
    ['what the broker says cannot be read', { body: 'x' }],
    ['the broker is silent', undefined],
  ])('is committed when %s', async (_, lookUp) => {
    expect(await endOf(lookUp)).toBe('8');
  });
});
