// Push consumers whose broker is killed: all that was accepted must be consumed, in order where that is promised.

const TOPICS = ['kills', 'kills-order'];
/** Consumed of each topic before this program says that messages flow. */
const FLOWING = 20;
const PAUSE_MS = 20;

/** @type {import('./world.mjs').Steps} */
export const KILL_STEPS = {
  /** Sends until its input ends: the one who kills says when. */
  async kills(world) {
    let isOver = false;
    process.stdin.once('end', () => {
      isOver = true;
    });
    process.stdin.resume();
    const consumed = new Map(TOPICS.map((topic) => /** @type {[string, Set<string>]} */ ([topic, new Set()])));
    for (const topic of TOPICS) {
      await world.pushConsumer({ topic, group: topic, consume: (label) => consumed.get(topic)?.add(label) });
    }
    /** @type {string[]} */
    const sent = [];
    for (let flowing = false; !isOver; ) {
      const label = String(sent.length);
      for (const topic of TOPICS) {
        const messageGroup = topic === 'kills-order' ? 'g' : undefined;
        // Without an answer it may have been accepted; a copy does no harm here.
        await world.retry(() => world.send(label, { topic, messageGroup }));
      }
      sent.push(label);
      if (!flowing && [...consumed.values()].every(({ size }) => size >= FLOWING)) {
        flowing = true;
        world.emit('flowing');
      }
      await world.sleep(PAUSE_MS);
    }
    const missing = (/** @type {string} */ topic) => sent.filter((label) => !consumed.get(topic)?.has(label));
    for (const topic of TOPICS) await world.until(() => missing(topic).length === 0, `all messages of ${topic}`);
    const order = [...(consumed.get('kills-order') ?? [])];
    world.emit('consumed', { all: true, inOrder: order.join() === sent.join() });
    world.emit('end');
    // As in java/: how clients close is the step "shutdown".
    process.exit();
  },
};
