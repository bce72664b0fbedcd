import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { systemRandom } from '../../support/random.js';
import { isIdOfCopy, MessageIdGenerator, messageIdFrom } from '../model/message-id.js';
import {
  decodeProperties,
  decodeStoredMessages,
  encodeProperties,
  encodeStoredMessage,
  MalformedMessage,
  messageIdOf,
  offsetInMessageId,
  offsetMessageIdOf,
  type StoredMessageFields,
} from './stored-message.js';

/** A message of a gRPC client as a 5.5.0 broker returned it (request code 12). */
const OF_5_5_0 =
  '0000011adaa320a70cdc168300000001000000000000000000000000000000000000959200000000000001a1f8a90c4c7f00' +
  '00010000ecfe000001a1f8a90c517f000001000075180000000000000000000000000000000178086e352d393036343400b6' +
  '4d53475f524547494f4e0144656661756c74526567696f6e02554e49515f4b45590130313043383345343735394145363246' +
  '39443042313143353436303030303030303002434c55535445520144656661756c74436c7573746572025047524f5550016e' +
  '352d3930363434025245434f4e53554d455f54494d450130025f5f424f524e484f535401766d02424f524e5f54494d455354' +
  '414d5001313739353137333139303733320254524143455f4f4e017472756502';

const message: StoredMessageFields = {
  topic: 'orders',
  queueId: 3,
  queueOffset: 12,
  commitLogOffset: 4_294_967_296,
  sysFlag: 0,
  flag: 7,
  bodyCrc: 0x7f_ff_ff_ff,
  bornTimestampMs: 1_795_172_846_787,
  bornHost: '10.1.2.3:40000',
  storeTimestampMs: 1_795_172_846_839,
  storeHost: '127.0.0.1:10911',
  reconsumeTimes: 2,
  preparedTransactionOffset: 0,
  body: Buffer.from('grüße'),
  properties: new Map([
    ['KEYS', 'a b'],
    ['user', 'Löwe'],
  ]),
};

describe('a stored message', () => {
  it('is read as the server writes it', () => {
    const bytes = Buffer.from(OF_5_5_0, 'hex');
    expect(bytes.readInt32BE(0)).toBe(bytes.length);
    const [decoded] = decodeStoredMessages(bytes);
    expect(decoded).toMatchObject({
      topic: 'n5-90644',
      queueId: 1,
      queueOffset: 0,
      commitLogOffset: 38_290,
      sysFlag: 0,
      reconsumeTimes: 0,
      bornTimestampMs: 1_795_173_190_732,
      bornHost: '127.0.0.1:60670',
      storeTimestampMs: 1_795_173_190_737,
      storeHost: '127.0.0.1:29976',
      body: Buffer.from('x'),
    });
    expect(decoded?.properties.get('UNIQ_KEY')).toBe('010C83E4759AE62F9D0B11C54600000000');
    expect(decoded?.properties.get('TRACE_ON')).toBe('true');
  });

  it('is written as the server writes it', () => {
    const bytes = Buffer.from(OF_5_5_0, 'hex');
    expect(decodeStoredMessages(bytes).map(encodeStoredMessage)).toEqual([bytes]);
  });

  it('survives a round trip, also several in a row, with long topics and IPv6 hosts', () => {
    const others = [
      message,
      { ...message, topic: 't'.repeat(200), body: Buffer.alloc(0) },
      { ...message, bornHost: '[2001:db8:0:0:0:0:0:1]:5', storeHost: '[0:0:0:0:0:0:0:1]:6', sysFlag: 0x31 },
    ];
    const encoded = others.map(encodeStoredMessage);
    const expected = others.map((one, index) => ({ ...one, storeSize: encoded[index]?.length }));
    expect(decodeStoredMessages(Buffer.concat(encoded))).toEqual(expected);
  });

  it('has offsets that can be compared and written as JSON, whatever the server claims', () => {
    const bytes = encodeStoredMessage(message);
    const at = bytes.indexOf(Buffer.from([0, 0, 0, 0, 0, 0, 0, 12]));
    for (const [wire, offset] of [
      [2n ** 63n - 1n, Number.MAX_SAFE_INTEGER],
      [-1n, -1],
    ] as const) {
      bytes.writeBigInt64BE(wire, at);
      expect(decodeStoredMessages(bytes)[0]?.queueOffset).toBe(offset);
    }
  });

  it('has an id of 32 digits, or of 56 when its broker has an IPv6 address only, and is found by both', () => {
    const ids = ['10.0.0.1:10911', '[2001:db8::1]:10911'].map((storeHost) =>
      offsetMessageIdOf({ storeHost, commitLogOffset: 4711 }),
    );
    expect(ids.map(({ length }) => length)).toEqual([32, 56]);
    expect(ids.map(offsetInMessageId)).toEqual([4711, 4711]);
    expect(ids.map(isIdOfCopy)).toEqual([true, true]);
  });

  it('has no id of a copy where its client gave it one, as Java clients of 4.x and 5.x and this one do', () => {
    // The address of the host, the process, the class loader, the time and a counter; the same of a host with IPv6 only.
    const old = ['AC11000100012A139A55155B2C5C0000', '20010DB800000000000000000000000100012A139A55155B2C5C0000'];
    const generated = new MessageIdGenerator(systemRandom, 1).next(Date.now());
    for (const id of [...old, generated, messageIdFrom('billing/broker-a/0/7'), 'order 7'])
      expect([id, isIdOfCopy(id)]).toEqual([id, false]);
  });

  it.each([
    ['', '7F00000100002A9F0000000000001267'],
    ['UNIQ_KEY\u0001 \u0002', '7F00000100002A9F0000000000001267'],
    ['UNIQ_KEY\u0001one\u0002', 'one'],
  ])('is known by the id that its client gave it, otherwise by that of the copy: %j', (properties, id) => {
    const at = { storeHost: '127.0.0.1:10911', commitLogOffset: 4711 };
    expect(messageIdOf({ ...at, properties: decodeProperties(properties) })).toBe(id);
  });

  it('accepts short forms of IPv6, and drops a host name, for which there is no field', () => {
    const hosts = ['[::1]:6', '[2001:db8::7:1]:5', 'some-host:0'];
    const decoded = hosts.map(
      (bornHost) => decodeStoredMessages(encodeStoredMessage({ ...message, bornHost }))[0]?.bornHost,
    );
    expect(decoded).toEqual(['[0:0:0:0:0:0:0:1]:6', '[2001:db8:0:0:0:0:7:1]:5', '0.0.0.0:0']);
  });

  it('is rejected when a byte is missing, and never read beyond its end', () => {
    const bytes = encodeStoredMessage(message);
    for (let length = 1; length < bytes.length; length++) {
      expect(() => decodeStoredMessages(bytes.subarray(0, length))).toThrow(MalformedMessage);
    }
    void fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        try {
          decodeStoredMessages(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage);
        }
      }),
    );
  });
});

describe('properties', () => {
  it('survive a round trip', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .map((value) => value.replaceAll('\u0001', '-').replaceAll('\u0002', '-'));
    void fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
        const properties = new Map(pairs);
        expect(decodeProperties(encodeProperties(properties))).toEqual(properties);
      }),
    );
  });

  /** What `MessageDecoder.string2messageProperties` of 5.5.0 returned. */
  it.each([
    ['a\u00011\u0002b\u0002\u0002d\u00014', { a: '1', d: '4' }],
    ['c\u00012\u00013\u0002', { c: '2\u00013' }],
    ['c\u0001\u00013\u0002d\u00014\u0001\u0002', { c: '\u00013', d: '4\u0001' }],
    ['\u0001a\u0001b\u0002c\u0001\u0002d\u00014', { d: '4' }],
    ['a\u00011\u0002a\u00012', { a: '2' }],
    ['', {}],
  ])('of %j are read as the server reads them', (text, expected) => {
    expect(Object.fromEntries(decodeProperties(text))).toEqual(expected);
  });
});
