// What a broker takes and rejects, and what comes of delays, recalls and priorities.

const HOUR_MS = 3_600_000;
const RESERVED = 'KEYS';
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** @type {import('./world.mjs').Steps} */
export const SENDING_STEPS = {
  async send(world) {
    const deliveryTimestamp = new Date(Date.now() + HOUR_MS);
    /** @type {[label: string, message: import('./world.mjs').Outgoing][]} */
    const accepted = [
      ['normal', { topic: 'send-normal', tag: 'a', keys: ['k1', 'k2'], properties: { p: 'v' } }],
      ['fifo', { topic: 'send-fifo', messageGroup: 'g' }],
      ['delay', { topic: 'send-delay', deliveryTimestamp }],
    ];
    for (const [label, message] of accepted) {
      const receipt = await world.code(`a ${label} message`, () => world.send(label, message));
      if (receipt === undefined) throw new Error(`a ${label} message was rejected`);
      const { messageId, transactionId, recallHandle } = receipt;
      world.emit(`the receipt of a ${label} message`, {
        transactionId: transactionId === messageId ? 'the message id' : transactionId,
        recallHandle: recallHandle !== '',
      });
    }
    /** @type {Record<string, import('./world.mjs').Outgoing>} */
    const rejected = {
      'an unknown topic': { topic: 'nowhere' },
      'a normal message to an ordered topic': { topic: 'send-fifo' },
      'an ordered message to a normal topic': { topic: 'send-normal', messageGroup: 'g' },
      'a delayed message to a normal topic': { topic: 'send-normal', deliveryTimestamp },
      'a delay of 25 hours': { topic: 'send-delay', deliveryTimestamp: new Date(Date.now() + 25 * HOUR_MS) },
      'a reserved property': { topic: 'send-normal', properties: { [RESERVED]: 'v' } },
      'properties of 17 KB': { topic: 'send-normal', properties: { p: 'v'.repeat(17_000) } },
      'a group of 64 bytes': { topic: 'send-fifo', messageGroup: 'g'.repeat(64) },
      'a tag with a control character': { topic: 'send-normal', tag: 'a\u0001' },
      'a key with a control character': { topic: 'send-normal', keys: ['k\u0001'] },
      'a body over the limit': { topic: 'send-normal', body: Buffer.alloc(MAX_BODY_BYTES + 1) },
    };
    for (const [what, message] of Object.entries(rejected)) await world.code(what, () => world.send(what, message));
  },

  async large(world) {
    // The client's window is 64 KiB: the body takes 64 round trips between two processes, seconds on a machine without a free core.
    world.options.requestTimeout = 60_000;
    // The client's receive limit is 4 MiB for the whole frame.
    const body = Buffer.alloc(MAX_BODY_BYTES - 8192, 'x');
    await world.code('a body near the limit', () => world.send('large', { topic: 'large', body }));
    const consumer = await world.simpleConsumer({ topic: 'large', group: 'large' });
    world.emit('received', { messages: world.inOrder(await world.receiveAndAck(consumer, 1)) });
  },

  async delay(world) {
    const consumer = await world.simpleConsumer({ topic: 'delay', group: 'delay' });
    await world.sender();
    const at = (/** @type {number} */ ms) => ({ topic: 'delay', deliveryTimestamp: new Date(Date.now() + ms) });
    const past = await world.send('past', { ...at(-5000), tag: 't', keys: ['k'] });
    await world.send('late', { ...at(14_000), tag: 't', keys: ['k'], properties: { p: 'v' } });
    await world.send('soon', at(7000));
    world.emit('the receipt of a message for the past', { recallHandle: past.recallHandle !== '' });
    world.emit('received', { messages: world.inAnyOrder(await world.receiveAndAck(consumer, 3)) });
  },

  async recall(world) {
    const producer = await world.sender();
    const consumer = await world.simpleConsumer({ topic: 'recall', group: 'recall' });
    const deliveryTimestamp = new Date(Date.now() + 30_000);
    const recalled = await world.send('recalled', { topic: 'recall', deliveryTimestamp });
    await world.send('kept', { topic: 'recall', deliveryTimestamp });
    const topic = world.name('recall');
    const receipt = await world.code('recall', () => producer.recallMessage(topic, recalled.recallHandle));
    world.emit('the receipt of a recall', { isOfTheMessage: receipt?.messageId === recalled.messageId });
    await world.code('recall once more', () => producer.recallMessage(topic, recalled.recallHandle));
    await world.code('recall by a handle of nonsense', () => producer.recallMessage(topic, 'nonsense'));
    world.emit('received', { messages: world.inOrder(await world.receiveAndAck(consumer, 1)) });
    world.emit('received later', { messages: world.inOrder(await world.receiveOnce(consumer)) });
    await world.code('recall what was due', () => producer.recallMessage(topic, recalled.recallHandle));
  },

  async priority(world) {
    for (const priority of [1, 3, 7, 5]) await world.send(`priority ${priority}`, { topic: 'priority', priority });
    const consumer = await world.simpleConsumer({ topic: 'priority', group: 'priority' });
    world.emit('received', { messages: world.inOrder(await world.receiveAndAck(consumer, 4)) });
  },
};
