// Reading a topic whose brokers come, go, change, reject and are silent. The contract proves on both servers that it is read at all.

import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerScript, ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import { encodeAnswer } from '../../../../test/fixtures/scripted-remoting-server.js';
import { encodeStoredMessage, type StoredMessageFields } from '../protocol/remoting/stored-message.js';
import type { TailedMessages, TailOptions } from './messages/tail.js';
import { RocketMQAdmin } from './rocketmq-admin.js';

const TOPIC = 'orders';
const STATS = 202;
const cluster = new ScriptedCluster();
const closers: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await cluster.close();
});

/** What a broker stores at present, queue by queue. */
type Queues = StoredMessageFields[][];

function stored(queueId: number, offset: number, storeTimestampMs: number, body: string): StoredMessageFields {
  const place = {
    topic: TOPIC,
    queueId,
    queueOffset: offset,
    commitLogOffset: 0,
    preparedTransactionOffset: 0,
  };
  const times = { bornTimestampMs: 1, bornHost: '127.0.0.1:1', storeTimestampMs, storeHost: '127.0.0.1:2' };
  const marks = { sysFlag: 0, flag: 0, bodyCrc: 0, reconsumeTimes: 0 };
  return { ...place, ...times, ...marks, body: Buffer.from(body), properties: new Map([['UNIQ_KEY', body]]) };
}

type Script = (...about: Parameters<BrokerScript>) => ReturnType<BrokerScript> | 'usual';

/** A broker that answers from these queues, unless the script says otherwise. */
function broker(name: string, queues: () => Queues, script: Script = () => 'usual'): BrokerScript {
  return (request, socket) => {
    const own = script(request, socket);
    if (own !== 'usual') return own;
    const { code, fields } = request;
    const queue = queues()[Number(fields.queueId)] ?? [];
    if (code === STATS) {
      const rows = queues().map((one, queueId) => {
        const newest = one.at(-1)?.storeTimestampMs ?? 0;
        const key = `{"brokerName":"${name}","queueId":${queueId},"topic":"${TOPIC}"}`;
        return `${key}:{"minOffset":0,"maxOffset":${one.length},"lastUpdateTimestamp":${newest}}`;
      });
      return { body: `{"offsetTable":{${rows.join()}}}` };
    }
    if (code === 29) {
      const at = queue.findIndex((one) => one.storeTimestampMs >= Number(fields.timestamp));
      return { fields: { offset: String(at < 0 ? queue.length : at) } };
    }
    const begin = Number(fields.queueOffset);
    const found = queue.slice(begin, begin + Math.min(32, Number(fields.maxMsgNums)));
    const next = { nextBeginOffset: String(begin + found.length) };
    if (found.length === 0) return { code: 19, fields: next };
    return { fields: next, body: Buffer.concat(found.map(encodeStoredMessage)) };
  };
}

async function adminOf(...scripts: BrokerScript[]) {
  const { nameServer, brokers } = await cluster.start(scripts);
  const admin = new RocketMQAdmin({ nameServer: nameServer.address, timeoutMs: 3_000 });
  closers.push(() => admin.close());
  const looks = (): number => brokers.flatMap(({ requests }) => requests.filter(({ code }) => code === STATS)).length;
  return { admin, looks };
}

/** A tail that has begun. */
async function begun(admin: RocketMQAdmin, options: TailOptions = {}): Promise<AsyncIterator<TailedMessages>> {
  const batches = admin.tailMessages(TOPIC, options)[Symbol.asyncIterator]();
  closers.push(() => batches.return?.());
  await batches.next();
  return batches;
}

const bodiesOf = (messages: TailedMessages['messages']): string[] => messages.map(({ body }) => body.toString());

async function until(batches: AsyncIterator<TailedMessages>, last: string): Promise<string[]> {
  const seen: string[] = [];
  while (!seen.includes(last)) seen.push(...bodiesOf((await batches.next()).value.messages));
  return seen;
}

describe('a topic that is followed', () => {
  it('is asked again where its broker returns nothing for the moment', async () => {
    const queue: StoredMessageFields[] = [];
    let rejections = 1;
    const script = broker(
      'broker-0',
      () => [queue],
      ({ code, fields }) => {
        const isRejected = code === 11 && rejections-- > 0;
        return isRejected ? { code: 20, fields: { nextBeginOffset: fields.queueOffset ?? '' } } : 'usual';
      },
    );
    const { admin } = await adminOf(script);
    const batches = await begun(admin);
    queue.push(stored(0, 0, 1_000, 'a'), stored(0, 1, 1_000, 'b'));
    expect(await until(batches, 'b')).toEqual(['a', 'b']);
  });

  it('is followed from the beginning of a queue that is added, whatever the clock of its broker', async () => {
    const queues: Queues = [[]];
    const { admin } = await adminOf(broker('broker-0', () => queues));
    const batches = await begun(admin);
    queues.push([stored(1, 0, 1_000, 'a'), stored(1, 1, 2_000, 'b')]);
    expect(await until(batches, 'b')).toEqual(['a', 'b']);
  });

  it('is followed from the beginning when it was deleted and created again', async () => {
    let queues: Queues = [[stored(0, 0, 1, 'old'), stored(0, 1, 2, 'older')]];
    const { admin, looks } = await adminOf(broker('broker-0', () => queues));
    const batches = await begun(admin);
    const next = batches.next();
    queues = [];
    for (const before = looks(); looks() < before + 2; ) await new Promise((resolve) => setTimeout(resolve, 20));
    queues = [[3, 4, 5].map((timestampMs, offset) => stored(0, offset, timestampMs, `new ${offset}`))];
    expect(bodiesOf((await next).value.messages)).toEqual(['new 0', 'new 1', 'new 2']);
  });

  it('repeats nothing when its broker comes back without its last messages', async () => {
    const queue = [1, 2, 3].map((timestampMs, offset) => stored(0, offset, timestampMs, `old ${offset}`));
    const { admin, looks } = await adminOf(broker('broker-0', () => [queue]));
    const batches = await begun(admin);
    const next = batches.next();
    queue.pop();
    for (const before = looks(); looks() < before + 2; ) await new Promise((resolve) => setTimeout(resolve, 20));
    queue.push(stored(0, 2, 10, 'new'));
    expect(bodiesOf((await next).value.messages)).toEqual(['new']);
  });

  it('loses nothing of one broker when the other cannot be read', async () => {
    const rejected = { code: 2, remark: 'busy' };
    let isBusy = true;
    const { admin } = await adminOf(
      broker('broker-0', () => [[stored(0, 0, 1, 'a')]]),
      broker(
        'broker-1',
        () => [[stored(0, 0, 2, 'b')]],
        ({ code }) => (code === 11 && isBusy ? rejected : 'usual'),
      ),
    );
    const batches = admin.tailMessages(TOPIC, { from: new Date(0) })[Symbol.asyncIterator]();
    closers.push(() => batches.return?.());
    const { value } = await batches.next();
    expect({ seen: bodiesOf(value.messages), away: value.failures }).toMatchObject({
      seen: ['a'],
      away: [{ name: 'broker-1' }],
    });
    isBusy = false;
    expect(await until(batches, 'b')).toEqual(['b']);
  });
});

describe('a topic that is read from its end', () => {
  it.each([0, 1])('has the messages of a broker that was away on page %i on a later one', async (awayOn) => {
    const of = (name: string) =>
      [1, 2].map((timestampMs, offset) => stored(0, offset, timestampMs, `${name}${offset}`));
    let page = 0;
    const away = ({ code }: { code: number }) =>
      code === STATS && page === awayOn ? { code: 1, remark: 'starting' } : 'usual';
    const { admin } = await adminOf(
      broker('broker-0', () => [of('a')]),
      broker('broker-1', () => [of('b')], away),
    );
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const { messages, next } = await admin.browseMessages(TOPIC, { order: 'newest-first', limit: 1, after });
      seen.push(...bodiesOf(messages));
      after = next;
      page++;
    } while (after !== undefined);
    expect(seen.sort()).toEqual(['a0', 'a1', 'b0', 'b1']);
  });

  it('says that a broker does not return what it has', async () => {
    const stuck: Script = ({ code, fields }) =>
      code === 11 ? { code: 20, fields: { nextBeginOffset: fields.queueOffset ?? '' } } : 'usual';
    const { admin } = await adminOf(broker('broker-0', () => [[stored(0, 0, 1, 'a')]], stuck));
    await expect(admin.browseMessages(TOPIC)).resolves.toMatchObject({
      messages: [],
      failures: [{ name: 'broker-0', error: { code: 'UNAVAILABLE', retryable: true } }],
    });
  });
});

describe('one of two brokers', () => {
  const silence =
    (codes: readonly number[]): Script =>
    ({ code }) =>
      codes.includes(code) ? undefined : 'usual';
  const rejection: Script = ({ code }) => (code === 11 ? { code: 2, remark: 'busy' } : 'usual');
  const first = broker('broker-0', () => [[stored(0, 0, 1, 'a')]]);
  const second = (script: Script): BrokerScript => broker('broker-1', () => [[stored(0, 0, 2, 'b')]], script);
  const order = ['oldest-first', 'newest-first'] as const;

  it.each(order)('that is silent costs a page only its own part, %s', async (orderOfPage) => {
    const { admin } = await adminOf(first, second(silence([STATS])));
    const { messages, failures } = await admin.browseMessages(TOPIC, { order: orderOfPage });
    expect({ seen: bodiesOf(messages), failures }).toMatchObject({ seen: ['a'], failures: [{ name: 'broker-1' }] });
  });

  it.each(order)('that cannot be read costs a page only its own part, %s', async (orderOfPage) => {
    const { admin } = await adminOf(first, second(rejection));
    const { messages, failures } = await admin.browseMessages(TOPIC, { order: orderOfPage });
    expect({ seen: bodiesOf(messages), failures }).toMatchObject({ seen: ['a'], failures: [{ name: 'broker-1' }] });
  });

  it('that is silent when it is searched by time costs a page only its own part', async () => {
    const { admin } = await adminOf(first, second(silence([29])));
    const { messages, failures } = await admin.browseMessages(TOPIC, { from: new Date(1) });
    expect({ seen: bodiesOf(messages), failures }).toMatchObject({ seen: ['a'], failures: [{ name: 'broker-1' }] });
  });

  it('that is silent does not hold up those who follow the other', async () => {
    const { admin } = await adminOf(first, second(silence([STATS])));
    const batches = admin.tailMessages(TOPIC, { from: new Date(0) })[Symbol.asyncIterator]();
    closers.push(() => batches.return?.());
    const { value } = await batches.next();
    expect(value).toMatchObject({ messages: [{ messageId: 'a' }], failures: [{ name: 'broker-1' }] });
  });

  it('that was away when another iteration began is read from where that one began', async () => {
    let isBusy = true;
    const { admin } = await adminOf(
      first,
      second((one, of) => (isBusy ? rejection(one, of) : 'usual')),
    );
    const begun = admin.tailMessages(TOPIC, { from: new Date(0) })[Symbol.asyncIterator]();
    const { next: after } = (await begun.next()).value;
    isBusy = false;
    expect(await until(admin.tailMessages(TOPIC, { after })[Symbol.asyncIterator](), 'b')).toEqual(['b']);
  });

  it('that comes back between two pages is read on', async () => {
    let isBusy = false;
    const script: Script = (request, socket) => (isBusy ? rejection(request, socket) : 'usual');
    const { admin } = await adminOf(first, second(script));
    isBusy = true;
    const page = await admin.browseMessages(TOPIC, { order: 'newest-first' });
    isBusy = false;
    const rest = await admin.browseMessages(TOPIC, { order: 'newest-first', after: page.next });
    expect([bodiesOf(page.messages), bodiesOf(rest.messages), rest.next]).toEqual([['a'], ['b'], undefined]);
  });
});

describe('the only broker', () => {
  it('fails the page when it cannot be read', async () => {
    const { admin } = await adminOf(
      broker(
        'broker-0',
        () => [[stored(0, 0, 1, 'a')]],
        ({ code }) => (code === 11 ? { code: 2, remark: 'busy' } : 'usual'),
      ),
    );
    await expect(admin.browseMessages(TOPIC)).rejects.toMatchObject({ code: 'SYSTEM_BUSY' });
  });

  it('may be so slow that a page takes longer than its time: the page is short, and the next one continues', async () => {
    const queue = Array.from({ length: 400 }, (_, offset) => stored(0, offset, offset + 1, `m${offset}`));
    const usual = broker('broker-0', () => [queue]);
    const slow: BrokerScript = (request, socket) => {
      setTimeout(() => {
        const answer = usual(request, socket);
        if (answer !== undefined && socket?.destroyed === false) socket.write(encodeAnswer(request.opaque, answer));
      }, 150);
      return undefined;
    };
    const { admin } = await adminOf(slow);
    const filter = ({ queueOffset }: { readonly queueOffset: number }): boolean => queueOffset % 100 === 99;
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await admin.browseMessages(TOPIC, { filter, after });
      found.push(...bodiesOf(page.messages));
      after = page.next;
    } while (after !== undefined);
    expect(found).toEqual(['m99', 'm199', 'm299', 'm399']);
  });
});

describe('messages that are deleted while a topic is followed', () => {
  it('are counted, also those between the look and the read', async () => {
    const all = Array.from({ length: 15 }, (_, offset) => stored(0, offset, 100, `m${offset}`));
    let count = 0;
    const deleted: Script = ({ code, fields }) =>
      code === 11 && Number(fields.queueOffset) < 10 ? { code: 21, fields: { nextBeginOffset: '10' } } : 'usual';
    const { admin } = await adminOf(broker('broker-0', () => [all.slice(0, count)], deleted));
    const batches = await begun(admin);
    count = 15;
    const { value } = await batches.next();
    expect({ seen: bodiesOf(value.messages).length, skipped: value.skipped }).toEqual({ seen: 5, skipped: 10 });
  });
});
