import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import { messageView } from './message-view.js';

const stored = (fields: Partial<StoredMessageFields>): StoredMessageFields => ({
  topic: 't',
  queueId: 0,
  queueOffset: 0,
  commitLogOffset: 0,
  sysFlag: 0,
  flag: 0,
  bodyCrc: 0,
  bornTimestampMs: 1,
  bornHost: '10.0.0.1:5',
  storeTimestampMs: 2,
  storeHost: '10.0.0.2:6',
  reconsumeTimes: 0,
  preparedTransactionOffset: 0,
  body: Buffer.from('x'),
  properties: new Map(),
  ...fields,
});

describe('the view of a stored message', () => {
  it.each([
    ['gzip', gzipSync],
    ['zlib', deflateSync],
  ])('decompresses a body that was compressed by %s', async (_, pack) => {
    const view = await messageView(stored({ body: pack('hello'), sysFlag: 0x301 }), 'b');
    expect(view.body.toString()).toBe('hello');
    expect(view.isPacked).toBe(false);
  });

  it('reports a body as packed when it cannot be decompressed, or would be too large', async () => {
    const lz4 = Buffer.from('04224d18', 'hex');
    await expect(messageView(stored({ body: lz4, sysFlag: 0x101 }), 'b')).resolves.toMatchObject({
      body: lz4,
      isPacked: true,
    });
    const bomb = gzipSync(Buffer.alloc(33 * 1024 * 1024));
    const view = await messageView(stored({ body: bomb, sysFlag: 0x301 }), 'b');
    expect([view.isPacked, view.body.length]).toEqual([true, bomb.length]);
  });

  it("separates the user's properties from the server's", async () => {
    const properties = new Map([
      ['UNIQ_KEY', 'm'],
      ['KEYS', 'a b'],
      ['_SYS_MSG_PRIORITY_', '3'],
      ['__SHARDINGKEY', 'g'],
      ['INNER_MULTI_DISPATCH', '%LMQ%$t$one'],
      ['user', 'Ada'],
    ]);
    const view = await messageView(stored({ properties }), 'b');
    expect(view).toMatchObject({ messageId: 'm', keys: ['a', 'b'], priority: 3, messageGroup: 'g', tag: undefined });
    expect(view.properties).toEqual({ user: 'Ada' });
    expect(view.systemProperties).toEqual({
      UNIQ_KEY: 'm',
      KEYS: 'a b',
      _SYS_MSG_PRIORITY_: '3',
      __SHARDINGKEY: 'g',
      INNER_MULTI_DISPATCH: '%LMQ%$t$one',
    });
    expect(view.bornHost).toBe('10.0.0.1:5');
  });
});
