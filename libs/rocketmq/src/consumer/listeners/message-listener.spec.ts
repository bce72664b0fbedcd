import { describe, expect, it } from '@jest/globals';
import type { MessageView } from '../../protocol/model/message.js';
import { SystemClock } from '../../support/clock.js';
import {
  type ListenerDefaults,
  ListenerSet,
  type MessageListener,
  onlyListener,
  resolveListener,
} from './message-listener.js';

const defaults: ListenerDefaults = { concurrency: 3, handlerTimeoutMs: 50, interceptors: [], maxAttempts: 5 };
const message = (topic: string, tag?: string): MessageView => ({ topic, tag, messageId: 'ID' }) as MessageView;

function setOf(...listeners: Partial<MessageListener>[]): ListenerSet {
  const all = listeners.map((own, index) => {
    const listener = { name: `listener ${index}`, topic: 'orders', ...own };
    const handler = own.batch === undefined ? () => listener.name : undefined;
    return resolveListener(handler === undefined ? listener : { handler, ...listener }, defaults, new SystemClock());
  });
  return new ListenerSet(all);
}

describe('the listeners of a consumer', () => {
  it('match messages by topic and tag', () => {
    const set = setOf(
      { filter: { kind: 'tag', expression: 'a || b' } },
      { filter: { kind: 'tag', expression: 'c' } },
      {
        topic: 'returns',
      },
    );
    const nameOf = (topic: string, tag?: string) => set.of(message(topic, tag)).name;
    expect([nameOf('orders', 'b'), nameOf('orders', 'c'), nameOf('returns', 'c'), nameOf('returns')]).toEqual([
      'listener 0',
      'listener 1',
      'listener 2',
      'listener 2',
    ]);
    expect(set.all.map((one) => set.sharesTopic(one))).toEqual([true, true, false]);
  });

  it('leave a message that none matches to a placeholder that does not handle it', () => {
    const { handler, policy, isForUnmatched } = setOf({ filter: { kind: 'tag', expression: 'a' } }).of(
      message('orders', 'z'),
    );
    const context = { signal: new AbortController().signal };
    expect(() => handler(message('orders', 'z'), context)).toThrow(
      /NO_LISTENER.*message ID with tag "z" from topic "orders"/,
    );
    expect(() => handler(message('orders'), context)).toThrow(/without a tag/);
    expect([policy, isForUnmatched]).toEqual([{}, true]);
  });

  it('have their own settings, otherwise those of the consumer', () => {
    const [own, common, batch] = setOf(
      { concurrency: 1, handlerTimeoutMs: 9, maxAttempts: 2 },
      {},
      { batch: { maxSize: 4, maxWaitMs: 0, handler: () => {} } },
    ).all;
    expect(own).toMatchObject({ permits: 1, handlerTimeoutMs: 9, policy: { maxAttempts: 2 } });
    expect(common).toMatchObject({ permits: 3, handlerTimeoutMs: 50, policy: { maxAttempts: 5 } });
    // The batch enforces its own timeout.
    expect(batch).toMatchObject({ permits: 12, handlerTimeoutMs: undefined, isBatch: true });
  });

  it('are one for all topics with a plain handler', () => {
    const only = onlyListener('stock', () => {}, defaults);
    const set = new ListenerSet([only]);
    expect(['orders', 'returns'].every((topic) => set.of(message(topic, 'x')) === only)).toBe(true);
    expect(() => set.named('other')).toThrow('UNKNOWN_LISTENER');
  });
});
