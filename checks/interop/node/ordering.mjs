// Ordered consumer groups.

/** @type {import('./world.mjs').Steps} */
export const ORDERING_STEPS = {
  async order(world) {
    const groups = ['red', 'green', 'blue'];
    for (let number = 0; number < 5; number++) {
      for (const messageGroup of groups)
        await world.send(`${messageGroup} ${number}`, { topic: 'order', messageGroup });
    }
    const { deliveries } = await world.pushConsumer({
      topic: 'order',
      group: 'order',
      consume: (label, attempt) => !(label === 'green 2' && attempt === 1),
    });
    await world.until(() => deliveries.length >= 16, 'all messages and one retry');
    await world.sleep(3000);
    for (const group of groups) {
      const ofGroup = deliveries.filter(({ view }) => view.messageGroup === group);
      world.emit(`consumed of ${group}`, { messages: world.inOrder(ofGroup) });
    }
  },

  async 'order-leases'(world) {
    for (let number = 1; number <= 5; number++) {
      await world.send(`m${number}`, { topic: 'order-leases', messageGroup: 'g', tag: `t${number}` });
    }
    const consumer = await world.simpleConsumer({ topic: 'order-leases', group: 'order-leases' });
    const first = await world.receive(consumer, 5, 30_000);
    world.emit('received', { messages: world.inOrder(first) });
    const [one, , three] = first;
    if (one === undefined || three === undefined) throw new Error(`${first.length} messages came`);
    await world.code('ack the first', () => consumer.ack(one.view));
    await world.code('ack the third', () => consumer.ack(three.view));
    world.emit('received while it is held', { messages: world.inOrder(await world.receiveOnce(consumer)) });
    const redelivered = await world.receive(consumer, 4);
    world.emit('received after the lease', { messages: world.inOrder(redelivered) });
    for (const { view } of redelivered) await consumer.ack(view);
    await world.send('m6', { topic: 'order-leases', messageGroup: 'g' });
    world.emit('received at last', { messages: world.inOrder(await world.receiveAndAck(consumer, 1)) });
  },

  async 'order-retries'(world) {
    const { deliveries } = await world.pushConsumer({
      topic: 'order-retries',
      group: 'order-retries',
      consume: (label) => label !== 'poison',
    });
    for (const label of ['before', 'poison', 'behind']) {
      await world.send(label, {
        topic: 'order-retries',
        messageGroup: 'g',
        tag: 't',
        keys: ['k'],
        properties: { p: 'v' },
      });
    }
    await world.until(() => deliveries.length >= 4, 'the message behind the poison');
    const dead = await world.retry(() =>
      world.simpleConsumer({ topic: '%DLQ%order-retries', group: 'order-retries-dead' }),
    );
    const letters = await world.receiveAndAck(dead, 1);
    world.emit('consumed', { messages: world.inOrder(deliveries) });
    world.emit('dead letters', { messages: world.inOrder(letters) });
  },
};
