// What clients of all kinds do together. There is no second broker to compare with, so each step checks what it saw.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashOf, type Outgoing, type Participant, type Seen } from './participants.js';
import type { RemotingParticipant } from './remoting.js';

const TIMEOUT_MS = 60_000;
const POLL_MS = 50;
/** Whether something comes that should not. */
const QUIET_MS = 3_000;
const SHARED_BY_EACH = 60;
const ORDERED_ROUNDS = 12;
const DELAY_MS = 6_000;
/** This library leaves half messages of other owners alone; without the option, the topic is the owner. */
const OWNER = 'rocketmq-transaction-owner';
/** Five seconds by default. */
const DELAY_LEVEL = 2;

/** What each participant has handled, by its name. */
type Handled = ReadonlyMap<string, Seen[]>;

interface World {
  readonly direct: Participant;
  readonly proxied: Participant;
  readonly node: Participant;
  readonly java: RemotingParticipant;
  readonly everyone: readonly Participant[];
  /** Of a topic or group. */
  name(purpose: string): string;
  emit(what: string, facts?: object): void;
}

export const STEPS: Readonly<Record<string, (world: World) => Promise<void>>> = {
  /** All consumers are one group: each message is handled once over all of them, whoever sent it. */
  async 'mixed-group'({ everyone, name, emit }) {
    const topic = name('mixed-group');
    const handled = handledBy(everyone);
    await consumeAll(everyone, { topic, group: name('mixed-group') }, handled);
    let warmUps = 0;
    await until(
      async () => {
        for (const sender of everyone)
          await sender.send({ topic, name: `warm-up ${sender.name} ${warmUps++}`, body: 'w' });
        return everyone.every((one) => seenBy(handled, one).length > 0);
      },
      () => `each consumer to handle a message; handled: ${countsOf(handled)}`,
    );
    const before = countsOf(handled);
    const names = everyone.flatMap((sender) =>
      Array.from({ length: SHARED_BY_EACH }, (_, index) => `${sender.name} ${index}`),
    );
    const lanes = everyone.map(async (sender) => {
      for (let index = 0; index < SHARED_BY_EACH; index++) {
        await sender.send({ topic, name: `${sender.name} ${index}`, body: `${index}` });
      }
    });
    await Promise.all(lanes);
    const all = () => everyone.flatMap((one) => seenBy(handled, one));
    await until(
      () => all().length >= names.length + warmUps,
      () => `${names.length + warmUps} messages; handled: ${countsOf(handled)}`,
    );
    await sleep(QUIET_MS);
    const titles = all().map(({ properties }) => properties.name ?? '');
    assert.deepEqual(titles.filter((title) => !title.startsWith('warm-up')).sort(), [...names].sort());
    assert.equal(titles.length, names.length + warmUps, 'a warm-up was handled twice or not at all');
    assert.deepEqual(
      all().filter(({ attempt }) => attempt !== 1),
      [],
    );
    assert.notEqual(countsOf(handled), before);
    emit('handled once', { messages: names.length, consumers: everyone.length });
  },

  /** One message group, to which each sends in turn: the consumers of an ordered group see one order, and so does a Java consumer that locks queues. */
  async 'mixed-order'({ everyone, direct, proxied, node, java, name, emit }) {
    const topic = name('mixed-order');
    const groups = ['a', 'b', 'c', 'd'];
    // By POP, the Java client does not keep an order.
    const ordered = [direct, proxied, node];
    const handled = handledBy([...ordered, java]);
    const together: string[] = [];
    for (const consumer of ordered) {
      const onSeen = (seen: Seen) => {
        handled.get(consumer.name)?.push(seen);
        together.push(seen.properties.name ?? '');
      };
      await consumer.consume({ topic, group: name('mixed-order'), onSeen });
    }
    const onSeen = (seen: Seen) => handled.get('java')?.push(seen);
    await java.consume({ topic, group: name('mixed-order-java'), ordered: true, onSeen });
    const sent = groups.map((messageGroup) => ({ messageGroup, names: [] as string[] }));
    await Promise.all(
      sent.map(async ({ messageGroup, names }) => {
        for (let round = 0; round < ORDERED_ROUNDS; round++) {
          for (const sender of everyone) {
            const title = `${messageGroup} ${round} ${sender.name}`;
            await sender.send({ topic, name: title, body: title, messageGroup });
            names.push(title);
          }
        }
      }),
    );
    const count = groups.length * ORDERED_ROUNDS * everyone.length;
    await until(
      () => together.length >= count && seenBy(handled, java).length >= count,
      () => `${count} ordered messages; handled: ${countsOf(handled)}`,
    );
    await sleep(QUIET_MS);
    const byJava = seenBy(handled, java).map(({ properties }) => properties.name ?? '');
    for (const { messageGroup, names } of sent) {
      const ofGroup = (title: string) => title.startsWith(`${messageGroup} `);
      assert.deepEqual(together.filter(ofGroup), names, 'the ordered group');
      assert.deepEqual(byJava.filter(ofGroup), names, 'the Java consumer');
    }
    emit('in order', { messages: count, groups: groups.length });
  },

  /** Each reads what each has sent, all of them alike. */
  async 'mixed-properties'({ everyone, direct, proxied, node, java, name, emit }) {
    const [topic, delayed, gzip, zlib] = ['mixed-properties', 'mixed-delay', 'mixed-gzip', 'mixed-zlib'].map(name);
    /** Who can read the messages of a topic. */
    const allowed: readonly [topic: string, canRead: (consumer: Participant) => boolean][] = [
      [topic ?? '', () => true],
      [delayed ?? '', () => true],
      // Clients of the remoting protocol know no gzip; a POP answer is lost to them from such a message on.
      [gzip ?? '', (consumer) => consumer !== java],
      // The server marks zlib, with which clients of the remoting protocol compress, as gzip, which the Node client believes.
      [zlib ?? '', (consumer) => consumer !== node],
    ];
    const readers = new Map(allowed);
    const handled = handledBy(everyone);
    for (const [from, canRead] of readers) {
      const consumers = everyone.filter(canRead);
      await Promise.all(
        consumers.map((one) => consumeAll([one], { topic: from, group: `${from}-${one.name}` }, handled)),
      );
    }
    const sent: Outgoing[] = [];
    const send = async (sender: Participant, message: Outgoing) => {
      sent.push(message);
      await sender.send(message);
    };
    const beganAt = Date.now();
    for (const sender of everyone) {
      const labels = { tag: 'a tag', keys: ['k1', 'k2'], properties: { p: 'v', ü: 'ß€' } };
      await send(sender, { topic: topic ?? '', name: `${sender.name} labels`, body: 'grüße', ...labels });
      await send(sender, { topic: topic ?? '', name: `${sender.name} bare`, body: 'b' });
      const deliverAtMs = Date.now() + DELAY_MS;
      await send(sender, { topic: delayed ?? '', name: `${sender.name} later`, body: 'l', tag: 't', deliverAtMs });
    }
    const body = 'large '.repeat(4_000);
    await send(node, { topic: topic ?? '', name: 'node large', body });
    await send(proxied, { topic: gzip ?? '', name: 'proxied large', body });
    await send(direct, { topic: zlib ?? '', name: 'direct large', body });
    await send(java, { topic: zlib ?? '', name: 'java large', body });
    await send(java, { topic: delayed ?? '', name: 'java delay level', body: 'd', delayLevel: DELAY_LEVEL });
    const batch = [1, 2, 3].map((index) => ({
      topic: topic ?? '',
      name: `java batch ${index}`,
      body: `${index}`,
      tag: `t${index}`,
      keys: [`k${index}`],
      properties: { index: `${index}` },
    }));
    sent.push(...batch);
    await java.sendBatch(batch);
    const expectedOf = (reader: Participant) => sent.filter((message) => readers.get(message.topic)?.(reader));
    await until(
      () => everyone.every((reader) => missingOf(seenBy(handled, reader), expectedOf(reader)).length === 0),
      () => everyone.map((one) => `${one.name} misses: ${missingOf(seenBy(handled, one), expectedOf(one))}`).join('; '),
    );
    await sleep(QUIET_MS);
    const agreed = new Map<string, Seen>();
    for (const reader of everyone) {
      const seen = seenBy(handled, reader);
      assert.equal(seen.length, expectedOf(reader).length, `${reader.name} handled a message twice`);
      for (const message of expectedOf(reader)) {
        const one = seen.find(({ properties }) => properties.name === message.name);
        assert.ok(one !== undefined, `${reader.name} did not see ${message.name}`);
        assert.deepEqual(labelsOf(one), labelsSent(message), `${message.name} as ${reader.name} sees it`);
        assert.ok(one.bornMs !== null && one.bornMs >= beganAt && one.bornMs <= Date.now(), `born ${one.bornMs}`);
        const first = agreed.get(message.name) ?? one;
        agreed.set(message.name, first);
        assert.deepEqual(one, first, `${message.name}: ${reader.name} and the others`);
      }
    }
    emit('read alike', { messages: sent.length, readers: everyone.length });
  },

  /** Who begins a transaction leaves; another client ends it, when it is checked. A topic for each two: any may be asked. */
  async 'mixed-transactions'({ everyone, direct, name, emit }) {
    const others = everyone.filter((one) => one !== direct);
    const pairs = others.flatMap((other) => [
      [direct, other],
      [other, direct],
    ]);
    const delivered: string[] = [];
    const checked: string[] = [];
    const expected = pairs.flatMap(([begin, end]) => [
      `${begin?.name} to ${end?.name}: commit`,
      `${begin?.name} to ${end?.name}: rollback`,
    ]);
    await Promise.all(
      pairs.map(async ([begin, end], index) => {
        if (begin === undefined || end === undefined) return;
        const topic = name(`mixed-transactions-${index}`);
        const onSeen = ({ properties }: Seen) => delivered.push(properties.name ?? '');
        await direct.consume({ topic, group: topic, onSeen });
        for (const resolution of ['commit', 'rollback']) {
          const title = `${begin.name} to ${end.name}: ${resolution}`;
          await begin.begin({ topic, name: title, body: title, properties: { [OWNER]: topic } });
        }
        await end.answerChecks(topic, (title) => checked.push(title));
      }),
    );
    const isCommit = (title: string) => title.endsWith('commit');
    await until(
      () => expected.every((title) => (isCommit(title) ? delivered : checked).includes(title)),
      () => `the ends of all transactions; delivered: ${delivered.join(', ')}; checked: ${checked.join(', ')}`,
    );
    await sleep(QUIET_MS);
    assert.deepEqual(
      expected.filter((title) => !checked.includes(title)),
      [],
      'ended by another client',
    );
    // The server may deliver a message again that a check has ended.
    assert.deepEqual([...new Set(delivered)].sort(), expected.filter(isCommit).sort());
    emit('ended by another client', { transactions: expected.length });
  },
};

function handledBy(consumers: readonly Participant[]): Handled {
  return new Map(consumers.map(({ name }) => [name, []]));
}

function seenBy(handled: Handled, { name }: Participant): readonly Seen[] {
  return handled.get(name) ?? [];
}

function countsOf(handled: Handled): string {
  return [...handled].map(([name, { length }]) => `${name} ${length}`).join(', ');
}

/** The names of those that were not seen. */
function missingOf(seen: readonly Seen[], expected: readonly Outgoing[]): readonly string[] {
  const known = new Set(seen.map(({ properties }) => properties.name));
  return expected.flatMap((one) => (known.has(one.name) ? [] : one.name));
}

async function consumeAll(
  consumers: readonly Participant[],
  from: { readonly topic: string; readonly group: string },
  handled: Handled,
): Promise<void> {
  await Promise.all(
    consumers.map((one) => one.consume({ ...from, onSeen: (seen) => handled.get(one.name)?.push(seen) })),
  );
}

function labelsOf({ topic, body, tag, keys, properties, attempt, deliverAtMs, messageGroup }: Seen) {
  const { name: _, ...rest } = properties;
  return { topic, body, tag, keys: [...keys], properties: rest, attempt, deliverAtMs, messageGroup };
}

function labelsSent({ topic, body, tag, keys = [], properties = {}, deliverAtMs }: Outgoing) {
  return {
    topic,
    body: hashOf(Buffer.from(body)),
    tag: tag ?? null,
    keys: [...keys],
    properties,
    attempt: 1,
    deliverAtMs: deliverAtMs ?? null,
    messageGroup: null,
  };
}

async function until(condition: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  for (const endsAt = Date.now() + TIMEOUT_MS; !(await condition()); await sleep(POLL_MS)) {
    if (Date.now() > endsAt) throw new Error(`${TIMEOUT_MS} ms passed, waiting for ${what()}`);
  }
}
