import { describe, expect, it } from '@jest/globals';
import { blockThread } from '../../../../../test/fixtures/blocked-loop.js';
import { TOPIC } from '../../../../../test/fixtures/gateway-world.js';
import { PulledBroker, pullWorld, stored } from '../../../../../test/fixtures/pulled-broker.js';
import { until } from '../../../../../tools/until.js';
import { RetryLaterError } from '../../consumer/model/outcome-errors.js';
import { REQUEST_CODES as CODES } from '../../protocol/remoting/codes.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';

/** Longer than a member may do nothing before it doubts that its queues are its own. */
const STANDSTILL_MS = 5_500;

describe('a member of a group on brokers without POP', () => {
  const { consumerOf } = pullWorld();

  it('does not set back what another member has stored while it stood still', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1)];
    const running: (() => void)[] = [];
    const { consumer, sent } = await consumerOf(broker, {
      handler: () => new Promise<void>((resolve) => running.push(resolve)),
    });
    await until(() => running.length === 2 && broker.isPullWaiting);
    // The other member comes first in the order of the group, and so gets the queue.
    broker.otherMembers = ['!'];
    broker.position = 9;
    // The first thing that it hears of afterwards brings the next pull, which could carry a position.
    broker.endPull();
    const asked = sent(CODES.getConsumerListByGroup).length;
    blockThread(STANDSTILL_MS);
    for (const finish of running) finish();
    await until(() => sent(CODES.getConsumerListByGroup).length > asked);
    await consumer.close();
    expect(broker.position).toBe(9);
  });

  it('stores its position when it leaves after a standstill in which nobody took its queues', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1)];
    const running: (() => void)[] = [];
    const { consumer } = await consumerOf(broker, {
      handler: () => new Promise<void>((resolve) => running.push(resolve)),
    });
    await until(() => running.length === 2 && broker.isPullWaiting);
    blockThread(STANDSTILL_MS);
    for (const finish of running) finish();
    await consumer.close();
    expect(broker.position).toBe(2);
  });

  it('begins a queue of another member where that one ends, which learns of it at the same time', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1), stored(2), stored(3)];
    broker.otherMembers = ['~'];
    broker.answers[CODES.getConsumerListByGroup] = () => {
      setTimeout(() => {
        broker.position = Math.max(broker.position, 3);
      }, 100);
      return undefined;
    };
    const { handled } = await consumerOf(broker, {});
    await until(() => handled.length > 0);
    expect(handled).toEqual(['ID-3 1']);
  });

  it('closes soon while an ordered retry waits, also when another member takes its queue, which goes on there', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1), stored(2)];
    const handled: string[] = [];
    const { consumer, sent } = await consumerOf(broker, {
      requireFifo: true,
      handler: ({ messageId }) => {
        handled.push(messageId);
        if (messageId === 'ID-1') throw new RetryLaterError({ delayMs: MINUTE_MS });
      },
    });
    await until(() => handled.length === 2);
    const beganAtMs = performance.now();
    const closed = consumer.close();
    broker.otherMembers = ['!'];
    broker.announce();
    await closed;
    // Without waiting for its polls, which takes 5 s.
    expect(performance.now() - beganAtMs).toBeLessThan(4 * SECOND_MS);
    broker.otherMembers = [];
    expect([broker.position, sent(CODES.consumerSendMessageBack)]).toEqual([1, []]);
    expect(sent(CODES.unlockBatchMq)).not.toEqual([]);
    const next = await consumerOf(broker, { requireFifo: true });
    await until(() => next.handled.length === 2);
    expect([...handled, ...next.handled]).toEqual(['ID-0', 'ID-1', 'ID-1 1', 'ID-2 1']);
  });

  it('warns about nothing when it closes, not even in the middle of a share', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0)];
    const { consumer, handled, lines, mute, routesAsked } = await consumerOf(broker, {});
    await until(() => handled.length === 1);
    mute();
    const before = routesAsked();
    broker.announce();
    await until(() => routesAsked() > before);
    await consumer.close();
    expect(lines).toEqual([]);
  });

  it('takes over the queues of a broker, and stores its position there, while another broker is silent', async () => {
    const [silent, broker] = [new PulledBroker(), new PulledBroker()];
    // It comes last, and so has the queues of the second broker.
    for (const one of [silent, broker]) one.otherMembers = ['~'];
    const { handled, pulled } = await consumerOf(silent, {}, broker);
    await until(() => pulled().size > 0);
    silent.isSilent = true;
    broker.messages = [stored(0), stored(1)];
    broker.otherMembers = [];
    broker.announce();
    const beganAtMs = performance.now();
    await until(() => handled.length === 2 && broker.position === 2);
    // The silent one is asked first, and has a second to say who the members are.
    expect(performance.now() - beganAtMs).toBeLessThan(3.5 * SECOND_MS);
  });

  it('goes on with its former filter when the broker rejects another one', async () => {
    const broker = new PulledBroker();
    broker.answers[CODES.checkClientConfig] = ({ body }) =>
      body.includes('amount >') ? { code: 23, remark: 'parse failed' } : undefined;
    const filter = { kind: 'tag', expression: 'a' } as const;
    const { consumer, handled, sent } = await consumerOf(broker, { subscriptions: [{ topic: TOPIC, filter }] });
    await until(() => broker.isPullWaiting);
    const changing = consumer.subscribe({ topic: TOPIC, filter: { kind: 'sql', expression: 'amount >' } });
    await expect(changing).rejects.toMatchObject({ outcome: 'rejected' });
    broker.messages = [stored(0, { tag: 'b' }), stored(1, { tag: 'a' })];
    broker.announce();
    broker.endPull();
    await until(() => handled.length === 1);
    expect(handled).toEqual(['ID-1 1']);
    // What is asked on a new connection brings nothing to handlers.
    const asked = sent(CODES.pullMessage).filter(({ fields }) => fields.topic === TOPIC && fields.sysFlag !== '4');
    expect(new Set(asked.map(({ fields }) => fields.subscription))).toEqual(new Set(['a']));
  });
});
