import { describe, expect, it } from '@jest/globals';
import { GROUP, TOPIC } from '../../../../../test/fixtures/gateway-world.js';
import { PulledBroker, pullWorld, RETRIES, stored } from '../../../../../test/fixtures/pulled-broker.js';
import { until } from '../../../../../tools/until.js';
import { DeadLetterError, RetryLaterError } from '../../consumer/model/outcome-errors.js';
import type { MessageView } from '../../protocol/model/message.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';

describe('consuming from a broker without POP', () => {
  const { consumerOf } = pullWorld();

  it('pulls each queue, and those of its retries', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1, { reconsumeTimes: 2 })];
    const { handled, pulled } = await consumerOf(broker, {});
    await until(() => handled.length === 2 && pulled().size === 8);
    expect(handled.sort()).toEqual(['ID-0 1', 'ID-1 3']);
    expect([...pulled()].sort()).toEqual(
      [TOPIC, RETRIES].flatMap((topic) => [0, 1, 2, 3].map((id) => `${topic} ${id}`)).sort(),
    );
  });

  it('pulls its share only, and what another member has left', async () => {
    const broker = new PulledBroker();
    // It comes first, and has the first two queues.
    broker.otherMembers = ['!'];
    broker.messages = [stored(0)];
    const { handled, pulled } = await consumerOf(broker, {});
    await until(() => pulled().size === 4);
    expect([...pulled()].sort()).toEqual([TOPIC, RETRIES].flatMap((topic) => [`${topic} 2`, `${topic} 3`]).sort());
    broker.otherMembers = [];
    broker.announce();
    await until(() => handled.length === 1);
  });

  it('gives up a queue to a member that has come, and aborts what is in hand of it', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0)];
    let signal: AbortSignal | undefined;
    const handler = (_: MessageView, context: { readonly signal: AbortSignal }): Promise<void> => {
      signal = context.signal;
      return new Promise((resolve) => context.signal.addEventListener('abort', () => resolve(), { once: true }));
    };
    const { commits } = await consumerOf(broker, { handler });
    await until(() => signal !== undefined);
    broker.otherMembers = ['!'];
    broker.announce();
    await until(() => signal?.aborted === true);
    expect(commits().filter((offset) => offset !== 0)).toEqual([]);
  });

  it('commits the offset of the lowest message that is not settled', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1), stored(2)];
    let finish = (): void => {};
    let others = 0;
    const handler = ({ messageId }: MessageView): Promise<void> | undefined => {
      if (messageId !== 'ID-0') {
        others++;
        return undefined;
      }
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    };
    const { commits } = await consumerOf(broker, { handler });
    await until(() => others === 2);
    finish();
    await until(() => commits().includes(3));
    expect(commits().filter((offset) => ![0, 3].includes(offset))).toEqual([]);
  });

  it('sends a position once: of a pull that the broker is late with, it would be stored in the place of a newer one', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0)];
    const { sent } = await consumerOf(broker, {});
    const pulls = () =>
      sent(CODES.pullMessage).filter(({ fields }) => fields.topic === TOPIC && fields.queueId === '0');
    await until(() => broker.position === 1 && broker.isPullWaiting);
    const before = pulls().length;
    broker.endPull();
    await until(() => pulls().length > before);
    // Its lowest bit says whether it brings one.
    expect(pulls()[before]?.fields.sysFlag).toBe('6');
  });

  it('reports a queue that a message holds up, until it is settled', async () => {
    const broker = new PulledBroker();
    const behind = 2_050;
    broker.messages = Array.from({ length: behind }, (_, offset) => stored(offset));
    let finish = (): void => {};
    const handler = ({ messageId }: MessageView): Promise<void> | undefined => {
      if (messageId !== 'ID-0') return undefined;
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    };
    const { consumer, lines } = await consumerOf(broker, { handler });
    const place = { topic: TOPIC, brokerName: 'broker-0', queueId: 0 };
    await until(() => consumer.health.heldUp.length > 0);
    expect(consumer.health.heldUp).toEqual([{ ...place, messageId: 'ID-0', behind }]);
    finish();
    await until(() => consumer.health.heldUp.length === 0);
    expect(lines.filter(({ text }) => text.includes('holds up its queue'))).toMatchObject([{ fields: place }]);
  });

  it('reports a queue no longer that another member gets while its broker is away', async () => {
    const [away, other] = [new PulledBroker(), new PulledBroker()];
    away.messages = Array.from({ length: 2_050 }, (_, offset) => stored(offset));
    const handler = ({ messageId }: MessageView) => (messageId === 'ID-0' ? new Promise<void>(() => {}) : undefined);
    const { consumer, brokers } = await consumerOf(away, { handler }, other);
    await until(() => consumer.health.heldUp.length > 0);
    await brokers[0]?.close();
    // It comes first, and has the queues of the first broker.
    other.otherMembers = ['!'];
    other.announce();
    await until(() => consumer.health.heldUp.length === 0);
  });

  it('reports to an operator what it has, in the form that mqadmin reads', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1)];
    const { sent, handled, commits } = await consumerOf(broker, {});
    await until(() => handled.length === 2 && commits().includes(2));
    broker.ask(CODES.getConsumerRunningInfo);
    const answers = () => sent(RESPONSE_CODES.success);
    await until(() => answers().length === 1);
    const text = answers()[0]?.body ?? '';
    // The keys of a table are objects, as Java writes them.
    const row = `{"topic":"${TOPIC}","brokerName":"broker-0","queueId":0}:{"commitOffset":2`;
    expect(text).toContain(row);
    const { properties, subscriptionSet } = JSON.parse(text.replace(/"mqTable":.*?},"properties"/, '"properties"'));
    expect(properties).toMatchObject({ PROP_CONSUME_TYPE: 'CONSUME_PASSIVELY', PROP_CONSUME_ORDERLY: 'false' });
    expect(subscriptionSet.map(({ topic }: { topic: string }) => topic).sort()).toEqual([RETRIES, TOPIC]);
  });

  it.each([
    ['is to be retried', () => new RetryLaterError({ delayMs: 6_000 }), { delayLevel: '3', maxReconsumeTimes: '3' }],
    ['is a dead letter', () => new DeadLetterError('never'), { delayLevel: '-1', maxReconsumeTimes: '0' }],
  ])('sends a message back that %s', async (_, failure, expected) => {
    const broker = new PulledBroker();
    broker.messages = [stored(0)];
    const { sent, commits } = await consumerOf(broker, {
      handler: () => {
        throw failure();
      },
    });
    await until(() => commits().includes(1));
    const common = { offset: '1000', group: GROUP, originMsgId: 'ID-0', originTopic: TOPIC, unitMode: 'false' };
    expect(sent(CODES.consumerSendMessageBack).map(({ fields }) => fields)).toEqual([{ ...common, ...expected }]);
  });

  it('compares tags, of which a broker compares hashes', async () => {
    const broker = new PulledBroker();
    // Their hashes in Java are the same.
    broker.messages = [stored(0, { tag: 'Aa' }), stored(1, { tag: 'BB' })];
    const { handled, commits, sent } = await consumerOf(broker, {
      subscriptions: [{ topic: TOPIC, filter: { kind: 'tag', expression: 'BB' } }],
    });
    await until(() => commits().includes(2));
    expect(handled).toEqual(['ID-1 1']);
    expect(sent(CODES.pullMessage)[0]?.fields).toMatchObject({
      subscription: 'BB',
      expressionType: 'TAG',
      sysFlag: '7',
    });
  });

  it('handles the messages of an ordered group one after the other, while it has the lock of their queue', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1)];
    let isLocked = false;
    broker.answers[CODES.lockBatchMq] = () => (isLocked ? undefined : { body: '{"lockOKMQSet":[]}' });
    let running = 0;
    let most = 0;
    const { sent, commits } = await consumerOf(broker, {
      requireFifo: true,
      handler: async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
      },
    });
    await until(() => sent(CODES.lockBatchMq).length > 0);
    expect(sent(CODES.pullMessage)).toEqual([]);
    isLocked = true;
    await until(() => commits().includes(2));
    expect(most).toBe(1);
  });

  it('goes on at the end of a queue that ends before its position, although the broker names its beginning', async () => {
    const broker = new PulledBroker();
    broker.answers[CODES.queryConsumerOffset] = () => ({ fields: { offset: '50' } });
    broker.answers[CODES.getMaxOffset] = () => ({ fields: { offset: '2' } });
    broker.answers[CODES.pullMessage] = ({ fields: { topic, queueId, queueOffset } }) =>
      topic === TOPIC && queueId === '0' && queueOffset === '50'
        ? { code: RESPONSE_CODES.pullOffsetMoved, fields: { nextBeginOffset: '0' } }
        : undefined;
    broker.messages = [stored(0), stored(1), stored(2)];
    const { handled, lines } = await consumerOf(broker, {});
    await until(() => handled.length === 1);
    expect(handled).toEqual(['ID-2 1']);
    expect(lines).toMatchObject([
      { text: expect.stringContaining('ends before the position'), fields: { from: 50, to: 2 } },
    ]);
  });

  it('goes on where an operator has moved the group to, when the broker says it in the answer to a pull', async () => {
    const broker = new PulledBroker();
    broker.answers[CODES.queryConsumerOffset] = () => ({ fields: { offset: '2' } });
    let isMoved = false;
    broker.answers[CODES.pullMessage] = ({ fields: { topic, queueId } }) => {
      if (topic !== TOPIC || queueId !== '0' || isMoved) return undefined;
      isMoved = true;
      return { code: RESPONSE_CODES.pullOffsetMoved, remark: 'OFFSET_RESET', fields: { nextBeginOffset: '1' } };
    };
    broker.messages = [stored(0), stored(1)];
    const { handled, lines } = await consumerOf(broker, {});
    await until(() => handled.length === 1);
    expect(handled).toEqual(['ID-1 1']);
    expect(lines).toEqual([]);
  });

  it('reads a queue that was made anew from its beginning', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1), stored(2)];
    const { handled, lines, commits } = await consumerOf(broker, {});
    await until(() => commits().includes(3));
    broker.messages = [stored(0, { storedAtMs: 3 }), stored(1, { storedAtMs: 4 })];
    // The pull that waits ends, as it does when the topic is deleted.
    broker.disconnect();
    await until(() => handled.length === 5);
    expect(handled.slice(3).sort()).toEqual(['ID-0 1', 'ID-1 1']);
    const said = lines.filter(({ text }) => text.includes('the topic was made anew'));
    expect(said).toMatchObject([{ fields: { from: 3, to: 0 } }]);
  });

  it('hands out nothing of an ordered queue after the connection was lost, before it has the lock again', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1)];
    const running: (() => void)[] = [];
    const { sent, lines } = await consumerOf(broker, {
      requireFifo: true,
      handler: () => new Promise<void>((resolve) => running.push(resolve)),
    });
    await until(() => running.length === 1);
    // The broker has restarted, and another member was first.
    broker.answers[CODES.lockBatchMq] = () => ({ body: '{"lockOKMQSet":[]}' });
    const before = sent(CODES.lockBatchMq).length;
    broker.disconnect();
    await until(() => lines.some(({ text }) => text.includes('is down')));
    running[0]?.();
    await until(() => sent(CODES.lockBatchMq).length >= before + 8);
    expect(running).toHaveLength(1);
  });

  it('takes over queues by the last route that is known, while no name server has one', async () => {
    const broker = new PulledBroker();
    broker.otherMembers = ['!'];
    broker.messages = [stored(0)];
    const { handled, pulled, forget } = await consumerOf(broker, {});
    await until(() => pulled().size === 4);
    forget();
    broker.otherMembers = [];
    broker.announce();
    await until(() => handled.length === 1);
  });

  it('sends back what would have the next owner repeat settled messages, then leaves', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1)];
    let isSecondDone = false;
    const { consumer, sent } = await consumerOf(broker, {
      handler: ({ messageId }) => {
        if (messageId === 'ID-0') return new Promise<void>(() => {});
        isSecondDone = true;
        return undefined;
      },
    });
    await until(() => isSecondDone);
    await consumer.close({ shutdownGraceMs: 0 });
    const orders = sent(CODES.updateConsumerOffset).filter(({ fields }) => fields.topic === TOPIC);
    expect(sent(CODES.consumerSendMessageBack)).toMatchObject([{ fields: { offset: '1000', maxReconsumeTimes: '1' } }]);
    expect(orders.at(-1)?.fields.commitOffset).toBe('2');
    expect(sent(CODES.unregisterClient)).toHaveLength(1);
  });

  it('puts off the retries of a topic that the group has no longer, so that others do not wait behind them', async () => {
    const broker = new PulledBroker();
    const retries = Array.from({ length: 40 }, (_, offset) =>
      stored(offset, { retryOf: offset < 39 ? 'former' : TOPIC }),
    );
    broker.answers[CODES.pullMessage] = ({ fields: { topic, queueId, queueOffset = '' } }) => {
      const found = topic === RETRIES && queueId === '0' ? retries.slice(Number(queueOffset)).slice(0, 32) : [];
      if (found.length === 0) return undefined;
      const nextBeginOffset = String(Number(queueOffset) + found.length);
      return { fields: { nextBeginOffset }, body: Buffer.concat(found) };
    };
    const { handled, sent, lines } = await consumerOf(broker, {});
    await until(() => handled.length === 1 && sent(CODES.consumerSendMessageBack).length === 39);
    expect(handled).toEqual(['ID-39 1']);
    const levels = sent(CODES.consumerSendMessageBack).map(
      ({ fields }) => `${fields.delayLevel} ${fields.maxReconsumeTimes}`,
    );
    expect(new Set(levels)).toEqual(new Set(['18 1']));
    expect(lines.map(({ fields }) => fields.topic)).toEqual(['former']);
  });

  it('goes on where an operator has moved the group to', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1)];
    const { handled, commits } = await consumerOf(broker, {});
    await until(() => commits().includes(2));
    broker.move(1);
    await until(() => handled.length === 3);
    expect(handled).toEqual(['ID-0 1', 'ID-1 1', 'ID-1 1']);
  });

  it('moves a message to the dead letters that was handed out as often as the group allows', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0, { reconsumeTimes: 4 })];
    const { handled, sent, commits } = await consumerOf(broker, {});
    await until(() => commits().includes(1));
    expect([handled, sent(CODES.consumerSendMessageBack)]).toMatchObject([[], [{ fields: { delayLevel: '-1' } }]]);
  });

  it('rejects an expression that the broker cannot read: it would take it for none', async () => {
    const broker = new PulledBroker();
    broker.answers[CODES.checkClientConfig] = () => ({ code: 23, remark: 'parse failed' });
    const starting = consumerOf(broker, {
      subscriptions: [{ topic: TOPIC, filter: { kind: 'sql', expression: 'amount >' } }],
    });
    await expect(starting).rejects.toMatchObject({
      outcome: 'rejected',
      message: expect.stringContaining('parse failed'),
    });
  });

  it('names the setting of a broker whose filters by SQL are off, and does not try again', async () => {
    const broker = new PulledBroker();
    const remark = 'The broker does not support consumer to filter message by SQL92';
    broker.answers[CODES.checkClientConfig] = () => ({ code: 1, remark });
    const starting = consumerOf(broker, {
      subscriptions: [{ topic: TOPIC, filter: { kind: 'sql', expression: 'amount > 1' } }],
    });
    await expect(starting).rejects.toMatchObject({
      code: 'ILLEGAL_FILTER_EXPRESSION',
      outcome: 'rejected',
      message: expect.stringContaining('enablePropertyFilter=true'),
    });
  });
});
