import { describe, expect, it } from '@jest/globals';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { encodeProperties } from '../../protocol/remoting/stored-message.js';
import { SAME_TIME } from '../time/client-time.js';
import { dueTimeOf, messageToStore, sendFieldsOf } from './sent-messages.js';

const arrival = { host: '127.0.0.1', address: '127.0.0.1', nowMs: 0, clientTime: SAME_TIME, nextId: () => 'id' };

function stored(properties: Record<string, string>) {
  const text = encodeProperties(new Map(Object.entries(properties)));
  const fields = { topic: 't', queueId: '0', properties: text, sysFlag: '0', bornTimestamp: '0' };
  const send = sendFieldsOf({ code: 10, fields } as unknown as RemotingFrame);
  return messageToStore(send, { body: Buffer.from('x'), flag: 0, properties: text }, arrival);
}

describe('a message of rocketmq-spring', () => {
  it('whose header KEYS is a list has the keys that the text of the list consists of', () => {
    // `List.of("a", "b").toString()`
    expect(stored({ UNIQ_KEY: 'm', KEYS: '[a, b]' }).keys).toEqual(['[a,', 'b]']);
  });

  it('that was sent to `topic: tag` has a tag with a blank', () => {
    expect(stored({ UNIQ_KEY: 'm', TAGS: ' tag' }).tag).toBe(' tag');
  });
});

describe('a delay level', () => {
  const due = (properties: Record<string, string>) => dueTimeOf(encodeProperties(Object.entries(properties)), arrival);

  it('decides, whatever time the message names beside it', () => {
    expect(due({ DELAY: '1', TIMER_DELAY_MS: '600000' })).toEqual({ atMs: 1_000, isTimer: false });
    expect(due({ DELAY: '0', TIMER_DELAY_MS: '600000' })).toEqual({ atMs: 600_000, isTimer: true });
    expect(due({ DELAY: '1', TIMER_OUT_MS: '5' })).toEqual({ atMs: 1_000, isTimer: false });
  });
});
