// Ordinary consumer groups: simple and push consumers, leases, filters, retries, dead letters, an orderly end.

const PROPERTIES = { region: 'EU', Ünicode: 'grün 🐇', empty_like: ' ' };
/** Longer than the 60 s that the server hides a message for, and than its first renewal. */
const LONG_HANDLER_MS = 75_000;

/** @type {import('./world.mjs').Steps} */
export const CONSUMING_STEPS = {
  async simple(world) {
    await world.send('plain', { topic: 'simple' });
    await world.send('full', { topic: 'simple', tag: 'tag-a', keys: ['k1', 'k2'], properties: PROPERTIES });
    await world.send('binary', { topic: 'simple', body: Buffer.from([0, 255, 128, 1]) });
    const consumer = await world.simpleConsumer({ topic: 'simple', group: 'simple' });
    const deliveries = await world.receive(consumer, 3);
    world.emit('received', { messages: world.inOrder(deliveries) });
    for (const [index, { view }] of deliveries.entries()) {
      await world.code(`ack ${index + 1}`, () => consumer.ack(view));
    }
    const [first] = deliveries;
    if (first !== undefined) await world.code('ack once more', () => consumer.ack(first.view));
    world.emit('received later', { messages: world.inOrder(await world.receiveOnce(consumer)) });
  },

  async leases(world) {
    await world.send('leased', { topic: 'leases', tag: 't', keys: ['k'], properties: { p: 'v' } });
    const consumer = await world.simpleConsumer({ topic: 'leases', group: 'leases' });
    await world.code('receive for 9 s', () => consumer.receive(16, 9_000));
    await world.code('receive for 13 h', () => consumer.receive(16, 13 * 3_600_000));
    const first = await world.receiveFirst(consumer);
    await world.code('change to 13 h', () => consumer.changeInvisibleDuration(first.view, 13 * 3_600_000));
    await world.code('change to 1 s', () => consumer.changeInvisibleDuration(first.view, 1000));
    const second = await world.receiveFirst(consumer, 10_000);
    await world.sleep(12_000);
    await world.code('ack after the lease', () => consumer.ack(second.view));
    await world.code('change after the lease', () => consumer.changeInvisibleDuration(second.view, 10_000));
    const third = await world.receiveFirst(consumer);
    await world.code('renew', () => consumer.changeInvisibleDuration(third.view, 40_000));
    await world.code('ack what was renewed', () => consumer.ack(third.view));
    world.emit('received', { messages: world.inOrder([first, second, third]) });
    world.emit('received later', { messages: world.inOrder(await world.receiveOnce(consumer)) });
  },

  async tags(world) {
    for (const tag of ['a', 'b', 'c', undefined]) await world.send(`tag ${tag}`, { topic: 'tags', tag });
    const some = await world.simpleConsumer({ topic: 'tags', group: 'tags-some', filter: 'a || b' });
    const all = await world.simpleConsumer({ topic: 'tags', group: 'tags-all' });
    world.emit('a || b', { messages: world.inAnyOrder(await world.receiveAndAck(some, 2)) });
    world.emit('*', { messages: world.inAnyOrder(await world.receiveAndAck(all, 4)) });
    world.emit('a || b, later', { messages: world.inAnyOrder(await world.receiveOnce(some)) });
  },

  async sql(world) {
    /** @type {[label: string, tag: string | undefined, properties: Record<string, string>][]} */
    const sent = [
      ['eu-20', 'a', { region: 'EU', amount: '20' }],
      ['us-7.5', 'b', { region: 'US', amount: '7.5' }],
      ['asia-5', 'c', { region: "Asia's", amount: '5', note: 'x' }],
      ['bare', undefined, {}],
      ['words', 'b', { region: 'EU-west', amount: 'many' }],
    ];
    for (const [label, tag, properties] of sent) await world.send(label, { topic: 'sql', tag, properties });
    const expressions = [
      "region = 'EU' AND amount > 10",
      "TAGS = 'b' OR note IS NOT NULL",
      'amount BETWEEN 5 AND 7.5',
      "region IN ('US', 'Asia''s') AND NOT (amount >= 6)",
      "region STARTSWITH 'EU' AND region <> 'EU'",
      'region IS NULL',
      "region CONTAINS 'sia' or region ENDSWITH 'west'",
    ];
    const drain = async (/** @type {string} */ sql, /** @type {number} */ index) => {
      const consumer = await world.simpleConsumer({ topic: 'sql', group: `sql-${index + 1}`, sql });
      return /** @type {const} */ ([sql, await world.drain(consumer)]);
    };
    for (const [sql, messages] of await Promise.all(expressions.map(drain))) {
      world.emit(sql, { messages: world.inAnyOrder(messages) });
    }
    const wrong = await world.simpleConsumer({ topic: 'sql', group: 'sql-1', sql: 'region = = 3' });
    await world.code('an expression that is none', () => wrong.receive(16, 10_000));
  },

  async push(world) {
    const { deliveries } = await world.pushConsumer({
      topic: 'push',
      group: 'push',
      consume: (label, attempt) => !(label === 'push 03' && attempt === 1),
    });
    const labels = Array.from({ length: 12 }, (_, index) => `push ${String(index).padStart(2, '0')}`);
    for (const label of labels)
      await world.send(label, { topic: 'push', tag: 't', keys: [label], properties: { label } });
    await world.until(() => deliveries.length >= labels.length + 1, 'all messages and one retry');
    await world.sleep(5000);
    world.emit('consumed', { messages: world.inAnyOrder(deliveries) });
  },

  async 'long-handler'(world) {
    const { deliveries } = await world.pushConsumer({
      topic: 'long-handler',
      group: 'long-handler',
      consume: () => world.sleep(LONG_HANDLER_MS),
    });
    await world.send('slow', { topic: 'long-handler' });
    await world.until(() => deliveries.length > 0, 'the message');
    await world.sleep(LONG_HANDLER_MS + 8000);
    world.emit('consumed', { messages: world.inAnyOrder(deliveries) });
  },

  async retries(world) {
    const { deliveries } = await world.pushConsumer({ topic: 'retries', group: 'retries', consume: () => false });
    await world.send('poison', { topic: 'retries', tag: 't', keys: ['k1', 'k2'], properties: PROPERTIES });
    await world.until(() => deliveries.length >= 2, 'both attempts');
    const dead = await world.retry(() => world.simpleConsumer({ topic: '%DLQ%retries', group: 'retries-dead' }));
    const letters = await world.receiveAndAck(dead, 1);
    await world.sleep(3000);
    world.emit('consumed', { messages: world.inOrder(deliveries) });
    world.emit('dead letters', { messages: world.inOrder(letters) });
  },

  async shutdown(world) {
    let handled = false;
    const { consumer, deliveries } = await world.pushConsumer({
      topic: 'shutdown',
      group: 'shutdown',
      consume: async () => {
        await world.sleep(3000);
        handled = true;
      },
    });
    await world.send('in hand', { topic: 'shutdown' });
    await world.until(() => deliveries.length > 0, 'the message');
    await consumer.shutdown();
    world.emit('the end of a consumer', { handlerHadEnded: handled });
    await world.send('after', { topic: 'shutdown' });
    const next = await world.simpleConsumer({ topic: 'shutdown', group: 'shutdown' });
    const messages = await world.receiveAndAck(next, 1);
    messages.push(...(await world.receiveOnce(next)));
    world.emit('left for the next', { messages: world.inOrder(messages) });
  },
};
