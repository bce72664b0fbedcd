import { describe, expect, it } from '@jest/globals';
import { encodeProperties } from '../../protocol/remoting/stored-message.js';
import { SAME_TIME } from '../time/client-time.js';
import { messageToStore } from './stored-fields.js';

function stored(properties: Record<string, string>) {
  const fields = {
    properties: encodeProperties(new Map(Object.entries(properties))),
    sysFlag: '0',
    bornTimestamp: '0',
  };
  return messageToStore(fields, Buffer.from('x'), { nowMs: 0, clientTime: SAME_TIME });
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
