import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import { messagesOf } from './views.js';

function withGroup(options: { maxLiteTopics?: number } = {}): EngineHarness {
  const harness = new EngineHarness(options);
  harness.engine.declareTopic({ name: 'chats', type: 'lite' });
  harness.engine.declareGroup({ name: 'g', lite: { topic: 'chats' } });
  return harness;
}

function say(harness: EngineHarness, liteTopic: string, ...ids: string[]): void {
  for (const id of ids) harness.send('chats', id, { type: 'lite', liteTopic });
}

const of = (...liteTopics: string[]) => ({ liteTopics });

describe('lite topics', () => {
  it('have a queue and offsets of their own', () => {
    const harness = withGroup();
    say(harness, 'a', 'a1-', 'a2-');
    say(harness, 'b', 'b1-');
    const { deliveries } = harness.pop('chats', 'g', of('a', 'b'));
    expect(deliveries.map(({ message, offset }) => [message.messageId, offset])).toEqual([
      ['a1-', 0],
      ['a2-', 1],
      ['b1-', 0],
    ]);
  });

  it('are delivered only where they are subscribed to', () => {
    const harness = withGroup();
    say(harness, 'a', 'a1-');
    expect(harness.popIds('chats', 'g', of())).toEqual([]);
    expect(harness.popIds('chats', 'g', of('b', 'never'))).toEqual([]);
    expect(harness.popIds('chats', 'g', of('a'))).toEqual(['a1-1']);
  });

  it('wait for what was delivered of them, each for itself', () => {
    const harness = withGroup();
    say(harness, 'a', 'a1-', 'a2-');
    say(harness, 'b', 'b1-');
    const [a1] = harness.pop('chats', 'g', { ...of('a', 'b'), batchSize: 1 }).deliveries;
    expect(harness.popIds('chats', 'g', of('a', 'b'))).toEqual(['b1-1']);
    harness.advance(30_000);
    expect(harness.popIds('chats', 'g', of('a'))).toEqual(['a1-2', 'a2-1']);
    expect(a1?.offset).toBe(0);
  });

  it('start in turn, so that none starves', () => {
    const harness = withGroup();
    for (const name of ['a', 'b', 'c']) say(harness, name, `${name}1-`, `${name}2-`);
    const first = () => {
      const [delivery] = harness.pop('chats', 'g', { ...of('a', 'b', 'c'), batchSize: 1 }).deliveries;
      if (delivery !== undefined) harness.ack(delivery, 'g');
      return delivery?.message.liteTopic;
    };
    expect(new Set([first(), first(), first()])).toEqual(new Set(['a', 'b', 'c']));
  });

  it('are released together, which counts once', () => {
    const harness = withGroup();
    say(harness, 'a', 'a1-', 'a2-', 'a3-');
    const [a1, a2] = harness.pop('chats', 'g', of('a')).deliveries;
    if (a1 === undefined || a2 === undefined) throw new Error('nothing was delivered');
    harness.ack(a1, 'g');
    harness.change(a2, 'g', 0, true);
    harness.advance(0);
    const again = harness.pop('chats', 'g', of('a')).deliveries;
    expect(again.map(({ message, attempt }) => `${message.messageId}${attempt}`)).toEqual(['a2-2', 'a3-2']);
    const [a2Again] = again;
    if (a2Again !== undefined) harness.change(a2Again, 'g', 0, true);
    harness.advance(0);
    expect(harness.popIds('chats', 'g', of('a'))).toEqual(['a2-2', 'a3-2']);
  });

  it('count up to the limit, and again when their topic is deleted', () => {
    const harness = withGroup({ maxLiteTopics: 2 });
    say(harness, 'a', 'a1-');
    say(harness, 'b', 'b1-');
    expect(() => say(harness, 'c', 'c1-')).toThrow(expect.objectContaining({ reason: 'too-many-lite-topics' }));
    say(harness, 'a', 'a2-');
    expect(messagesOf(harness.store, 'chats')).toHaveLength(3);
    harness.engine.administration.deleteTopic('chats');
    harness.engine.declareTopic({ name: 'chats', type: 'lite' });
    say(harness, 'c', 'c1-');
    say(harness, 'a', 'a3-');
    expect(harness.popIds('chats', 'g', of('a', 'b', 'c'))).toEqual(expect.arrayContaining(['c1-1', 'a3-1']));
  });
});
