// Half messages: ended by their producer, or by the answer to a check.

/**
 * @typedef {import('./world.mjs').Delivery} Delivery
 * @typedef {import('./world.mjs').Described} Described
 */

/** TransactionResolution of the protocol; the package does not export it. */
const UNKNOWN = 0;
const COMMIT = 1;
const ROLLBACK = 2;

/** @type {import('./world.mjs').Steps} */
export const TRANSACTION_STEPS = {
  async transactions(world) {
    /** @type {Delivery[]} */
    const checks = [];
    /** @type {Record<string, (times: number) => number>} */
    const answers = {
      'check commit': () => COMMIT,
      'check rollback': () => ROLLBACK,
      'check later': (times) => (times < 2 ? UNKNOWN : COMMIT),
      'commit during checks': () => UNKNOWN,
    };
    const producer = await world.producer({
      topic: world.name('transactions'),
      checker: {
        check: async (view) => {
          checks.push({ view, attempt: view.deliveryAttempt, atMs: Date.now() });
          const label = view.body.toString();
          return answers[label]?.(checksOf(checks, label).length) ?? UNKNOWN;
        },
      },
    });
    const begin = async (/** @type {string} */ label) => {
      const transaction = producer.beginTransaction();
      const message = { topic: 'transactions', tag: 't', keys: ['k1', 'k2'], properties: { p: 'v' } };
      await world.code(`half message: ${label}`, () => world.send(label, message, { producer, transaction }));
      return transaction;
    };
    const committed = await begin('commit');
    await world.code('commit', () => committed.commit());
    await world.code('commit once more', () => committed.commit());
    const rolledBack = await begin('rollback');
    await world.code('rollback', () => rolledBack.rollback());
    const late = await begin('commit during checks');
    for (const label of ['check commit', 'check rollback', 'check later']) await begin(label);
    const consumer = await world.simpleConsumer({ topic: 'transactions', group: 'transactions' });
    /** @type {Delivery[]} */
    const messages = [];
    const receiveUntil = async (/** @type {number} */ count) => {
      while (firstOfEach(messages).length < count) messages.push(...(await world.receiveAndAck(consumer, 1)));
    };
    await receiveUntil(3);
    await world.until(() => checksOf(checks, 'commit during checks').length > 0, 'a check of a transaction under way');
    await world.code('commit after a check', () => late.commit());
    await receiveUntil(4);
    await world.until(() => checksOf(checks, 'check rollback').length > 0, 'the check that is answered by a rollback');
    messages.push(...(await world.receiveOnce(consumer)));
    world.emit('received', { messages: world.inAnyOrder(firstOfEach(messages)).map(withoutCount) });
    for (const label of Object.keys(answers)) {
      const [first] = world.inOrder(checksOf(checks, label));
      world.emit(`first check: ${label}`, { message: first });
    }
    const [, second] = world.inOrder(checksOf(checks, 'check later'));
    world.emit('second check: check later', { message: second });
  },
};

/** @param {readonly Delivery[]} checks @param {string} label */
function checksOf(checks, label) {
  return checks.filter(({ view }) => view.body.toString() === label);
}

/**
 * A real server asks again when a check falls due while the answer to the one before is under way: a message comes twice.
 * @param {readonly Delivery[]} messages
 */
function firstOfEach(messages) {
  const ids = messages.map(({ view }) => view.messageId);
  return messages.filter(({ view }, index) => ids.indexOf(view.messageId) === index);
}

/** How often a message was checked before its end took effect is a matter of luck; that it was checked is not. @param {Described} described */
function withoutCount({ properties: { TRANSACTION_CHECK_TIMES: times, ...properties }, ...message }) {
  return { ...message, properties, checked: times !== undefined };
}
