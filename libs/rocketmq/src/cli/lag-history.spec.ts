// The lag that an application has kept over a week, shown after it has ended.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Called, call, words } from '../../../../test/fixtures/command-line.js';
import { EmbeddedBroker } from '../entries/broker.js';
import { Connection, Producer } from '../entries/client.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { ManualClock } from '../support/manual-clock.js';

const clock = new ManualClock(Date.now() - 10 * HOUR_MS);
const broker = new EmbeddedBroker({
  clock,
  nameServerPort: 0,
  topics: [{ name: 'operations' }],
  groups: [{ name: 'billing' }, { name: 'stock' }],
});

beforeAll(async () => {
  await broker.start();
  const connection = new Connection({ endpoints: broker.endpoints });
  const producer = new Producer(connection);
  await producer.start();
  for (const lag of [4, 1_200, 0]) {
    const topics = [
      { topic: 'orders', lag, behindMs: lag === 0 ? undefined : lag * SECOND_MS },
      { topic: 'pri\u001bces', lag: 0 },
    ];
    const record = { consumerGroup: 'billing', instance: 'host@1', atMs: clock.nowMs(), lag, topics };
    await producer.send({ topic: 'operations', tag: 'lag', keys: ['lag:billing'], body: JSON.stringify(record) });
    clock.advanceTo(clock.nowMs() + HOUR_MS + MINUTE_MS);
  }
  await producer.close();
  connection.close();
});
afterAll(() => broker.stop());

const on = (line: string): Promise<Called> =>
  call([...words(line), '--name-server', broker.nameServerEndpoint, '--operations-topic', 'operations']);

describe('lag --history', () => {
  it('shows the largest lag of each hour, with its topics', async () => {
    const { code, out, err } = await on('lag billing --history');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const lines = out.split('\n');
    expect(lines[0]?.split(/ {2,}/)).toEqual(['PEAK AT', 'LAG', 'BEHIND', 'TOPICS']);
    expect(lines.slice(1, 4).map((line) => line.replace(/^\S+Z +/, ''))).toEqual([
      expect.stringMatching(/^4 +4 s +orders 4$/),
      expect.stringMatching(/^1200 +1200 s +orders 1200$/),
      expect.stringMatching(/^0 +- +-$/),
    ]);
    expect(lines.slice(4)).toEqual(['3 hours', '']);
  });

  it('prints JSON', async () => {
    const { out } = await on('lag billing --history --json');
    const { hours, latest, failures } = JSON.parse(out) as Record<string, unknown>;
    expect(hours).toMatchObject([
      { lag: 4 },
      { lag: 1_200, topics: [{ topic: 'orders', behindMs: 1_200_000 }, {}] },
      {},
    ]);
    expect([latest, failures]).toMatchObject([{ lag: 0 }, []]);
  });

  it('is empty for a group of which none was kept, and fails for a group or topic that does not exist', async () => {
    expect(await on('lag stock --history')).toEqual({
      code: 0,
      out: 'no lag of group stock was kept in the last week\n',
      err: '',
    });
    expect(await on('lag nope --history')).toMatchObject({ code: 1, err: expect.stringContaining('"nope" does not') });
    const nowhere = call(
      words(`lag billing --history --operations-topic nope --name-server ${broker.nameServerEndpoint}`),
    );
    expect(await nowhere).toMatchObject({ code: 1, err: expect.stringContaining('"nope" does not exist') });
  });

  it('needs its topic, and nothing that is about this moment', async () => {
    const without = call(words(`lag billing --history --name-server ${broker.nameServerEndpoint}`));
    expect(await without).toMatchObject({
      code: 2,
      err: expect.stringContaining('--history needs --operations-topic'),
    });
    expect(await on('lag billing --history --queues')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--queues'),
    });
  });
});
