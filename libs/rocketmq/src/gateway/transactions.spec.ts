import { describe, expect, it } from '@jest/globals';
import { broker, gatewayWorld, popped, TOPIC } from '../../../../test/fixtures/gateway-world.js';
import { until } from '../../../../tools/until.js';
import { Connection } from '../client/connection.js';
import { Producer } from '../producer/producer.js';
import { REQUEST_CODES as CODES } from '../protocol/remoting/codes.js';
import { encodeFrame } from '../protocol/remoting/frame.js';
import { decodeProperties } from '../protocol/remoting/stored-message.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { ManualClock } from '../support/manual-clock.js';

describe('a transaction that its broker has committed', () => {
  const { cluster, closers } = gatewayWorld();

  /** Commits a transaction on a broker that checks it nevertheless. @param isAway the connection ends before @returns how it was ended */
  async function ends(isAway: boolean): Promise<unknown[]> {
    let check = (_half: string): void => {};
    let leave = (): void => {};
    let registrations = 0;
    const { nameServer, brokers } = await cluster.start([
      broker(({ code }, socket) => {
        if (code !== CODES.heartBeat) return 'usual';
        registrations++;
        leave = () => socket?.destroy();
        check = (half) => {
          const fields = { tranStateTableOffset: '11', commitLogOffset: '77', msgId: 'HALF', transactionId: 'HALF' };
          const frame = { code: CODES.checkTransactionState, opaque: 1_000, isOneWay: true, fields };
          const { body } = popped({}, Buffer.from('x'), decodeProperties(half));
          socket?.write(encodeFrame({ ...frame, body }));
        };
        return 'usual';
      }),
    ]);
    const sent = (code: number) => brokers.flatMap(({ requests }) => requests.filter((one) => one.code === code));
    const clock = new ManualClock();
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, clock });
    closers.push(() => connection.close());
    const producer = new Producer(connection, { transactionCheckers: { [TOPIC]: () => 'commit' } });
    closers.push(() => producer.close());
    await producer.start();
    await producer.transact({ message: { topic: TOPIC, body: 'x', messageId: 'HALF' } }, async () => {});
    // A check that arrives at once may have crossed the commit, and is not answered.
    await clock.advanceTo(clock.nowMs() + MINUTE_MS);
    const before = registrations;
    if (isAway) leave();
    await until(async () => {
      if (!isAway || registrations > before) return true;
      await clock.advanceTo(clock.nowMs() + SECOND_MS);
      return false;
    });
    check(sent(CODES.sendMessageV2)[0]?.fields.i ?? '');
    await until(() => sent(CODES.endTransaction).length === 2);
    return sent(CODES.endTransaction).map(({ fields }) => [fields.commitOrRollback, fields.commitLogOffset]);
  }

  it('is not committed a second time when it is checked: the copy of the check is dropped', async () => {
    expect(await ends(false)).toEqual([
      ['8', '42'],
      ['12', '77'],
    ]);
  });

  it('is committed again after its broker was away, since it may have lost the commit', async () => {
    expect(await ends(true)).toEqual([
      ['8', '42'],
      ['8', '77'],
    ]);
  });
});
