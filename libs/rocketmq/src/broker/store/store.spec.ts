// The contract of a store, tested with each implementation.

import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { SystemClock } from '../../support/clock.js';
import { bytesToKey, keyToBytes } from './key-bytes.js';
import { type FlushMode, LmdbStore } from './lmdb-store.js';
import { MemoryStore } from './memory-store.js';
import { weightOf } from './pair-weight.js';
import type { StoredMessage } from './records.js';
import { compareKeys, hasPrefix, type Key, type Store } from './store.js';

const onDisk = (flush: FlushMode) => (folder: string) =>
  new LmdbStore({ folder, flush, clock: new SystemClock(), failed: () => {}, nameOf: String, damaged: () => {} });

describe.each<[string, (folder: string) => Store]>([
  ['MemoryStore', () => new MemoryStore()],
  ['LmdbStore with sync flush', onDisk('sync')],
  ['LmdbStore with async flush', onDisk('async')],
])('%s', (_name, make) => {
  let folder: string;
  let store: Store;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'store-'));
    store = make(folder);
    await store.open();
  });

  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });

  const keyPart = fc.oneof(fc.constantFrom('', 'a', 'b', 'topic', 'ä'), fc.integer({ min: -3, max: 1_000 }));
  const key = fc.array(keyPart, { minLength: 1, maxLength: 4 });
  const change = fc.record({ kind: fc.constantFrom('put' as const, 'delete' as const), key, value: fc.integer() });

  it('returns the newest values in order of their keys, whether they are on disk, on their way there, or pending', async () => {
    const end = fc.constantFrom('pending' as const, 'on its way' as const, 'flushed' as const);
    const steps = fc.array(fc.record({ batch: fc.array(change, { maxLength: 8 }), end }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(steps, key, async (batches, prefix) => {
        store.write(Array.from(store.scan([]), ([key]) => ({ kind: 'delete', key })));
        const model = new Map<string, [Key, unknown]>();
        const written = new Map(batches.flatMap(({ batch }) => batch.map(({ key }) => [JSON.stringify(key), key])));
        const check = (): void => {
          const sorted = [...model.values()].sort(([left], [right]) => compareKeys(left, right));
          expect([...store.scan([])]).toEqual(sorted);
          expect([...store.scan(prefix)]).toEqual(sorted.filter(([key]) => hasPrefix(key, prefix)));
          for (const [name, key] of written) expect(store.get(key)).toBe(model.get(name)?.[1]);
        };
        for (const { batch, end } of batches) {
          store.write(batch);
          for (const { kind, key, value } of batch) {
            if (kind === 'put') model.set(JSON.stringify(key), [key, value]);
            else model.delete(JSON.stringify(key));
          }
          const flush = end === 'pending' ? undefined : store.flush();
          if (end === 'flushed') await flush;
          else await nextTurn();
          check();
        }
        await store.flush();
      }),
      { numRuns: 60 },
    );
  });

  const plain: StoredMessage = {
    messageId: '01',
    type: 'normal',
    body: Buffer.from('body'),
    bodyEncoding: 1,
    tag: undefined,
    keys: [],
    properties: JSON.parse('{"__proto__":"a","__proto_":"b","constructor":"c"}'),
    messageGroup: undefined,
    priority: undefined,
    traceContext: undefined,
    bornTimestampMs: 1_700_000_000_000,
    bornHost: '127.0.0.1',
    storeTimestampMs: 1_700_000_000_001.5,
    deliveryTimestampMs: undefined,
    earlierAttempts: 0,
  };
  const full: Required<StoredMessage> = {
    ...plain,
    tag: '',
    keys: ['a', 'b'],
    messageGroup: 'group',
    priority: 0,
    liteTopic: 'lite',
    traceContext: '00-01',
    deliveryTimestampMs: 0,
    earlierAttempts: 3,
    originTopic: 'orders',
    remoting: { flag: 7, isSigned: true, sysFlag: 0x100, properties: JSON.parse('{"__proto__":"a","PGROUP":"g"}') },
  };

  it.each([
    ['every field', full],
    ['only the fields that every message has', plain],
    ['two fields', { body: plain.body, properties: plain.properties }],
  ])('keeps a message with %s, and its properties whatever their names', async (_fields, message) => {
    const record = { transactionId: 'id', message };
    store.write([
      { kind: 'put', key: ['message'], value: message },
      { kind: 'put', key: ['half'], value: record },
    ]);
    const assertKept = () => {
      const [[, scanned]] = [...store.scan(['message'])] as unknown as [[Key, StoredMessage]];
      const half = store.get(['half']) as { message: StoredMessage };
      expect(half).toEqual(record);
      for (const found of [store.get(['message']) as StoredMessage, scanned, half.message]) {
        expect(found).toEqual(message);
        expect(Object.entries(found.properties)).toEqual(Object.entries(message.properties));
      }
    };
    assertKept();
    await store.flush();
    assertKept();
  });

  it('keeps bodies of any size', async () => {
    const bodies = [0, 1, 2_000, 8_192, 100_000, 4_000_000].map((bytes) => Buffer.alloc(bytes, 'body'));
    store.write(
      bodies.map((body, index) => ({ kind: 'put' as const, key: ['message', index], value: { ...plain, body } })),
    );
    await store.flush();
    await store.close();
    await store.open();
    const found = Array.from(store.scan(['message']), ([, message]) => (message as StoredMessage).body);
    expect(bodies.map((body, index) => found[index]?.equals(body))).toEqual(bodies.map(() => true));
  });

  it('starts and ends a scan at the given keys', async () => {
    store.write([1, 2, 10, 20].map((offset) => ({ kind: 'put', key: ['log', offset], value: offset })));
    store.write([{ kind: 'put', key: ['other', 5], value: 0 }]);
    const values = () => [...store.scan(['log'], { from: ['log', 2], before: ['log', 20] })].map(([, value]) => value);
    expect(values()).toEqual([2, 10]);
    await store.flush();
    expect(values()).toEqual([2, 10]);
    expect([...store.scan(['log'], { before: ['a'] })]).toEqual([]);
    expect([...store.scan(['log'], { before: ['z'] })]).toHaveLength(4);
  });

  it('reads a long range completely', async () => {
    const numbers = Array.from({ length: 1_000 }, (_, index) => index);
    store.write(numbers.map((value) => ({ kind: 'put', key: ['log', value], value })));
    await store.flush();
    expect(Array.from(store.scan(['log']), ([, value]) => value)).toEqual(numbers);
  });

  it('keeps all types of plain data', async () => {
    const value = {
      text: 'ä\u0000',
      list: [1, 2.5, -1, 1_763_650_000_000],
      none: undefined,
      yes: true,
      deep: { a: {} },
    };
    const body = Buffer.from([0, 1, 255]);
    store.write([{ kind: 'put', key: ['k'], value: { ...value, body } }]);
    await store.flush();
    const read = store.get(['k']) as { body: Buffer };
    expect(read).toEqual({ ...value, body });
    expect(Buffer.isBuffer(read.body)).toBe(true);
  });

  it('reports its size, which decreases when something is deleted', async () => {
    const keys = Array.from({ length: 100 }, (_, index): Key => ['log', index]);
    store.write(keys.map((key) => ({ kind: 'put', key, value: { body: Buffer.alloc(1_000) } })));
    await store.close();
    await store.open();
    // The store in memory keeps its content when it is closed.
    const full = store.usedBytes();
    expect(full).toBeGreaterThan(100_000);
    store.write(keys.map((key) => ({ kind: 'delete', key })));
    await store.close();
    await store.open();
    expect(store.usedBytes()).toBeLessThan(full / 4);
  });

  it('has no value for a key that was never put', () => {
    expect(store.get(['nothing'])).toBeUndefined();
  });

  it('can be flushed, opened and closed twice', async () => {
    await store.flush();
    await store.open();
    await store.close();
    await store.close();
    await store.open();
  });
});

describe('MemoryStore', () => {
  const value = fc.oneof(
    fc.integer(),
    fc.boolean(),
    fc.string(),
    fc.record({ body: fc.uint8Array().map((bytes) => Buffer.from(bytes)), keys: fc.array(fc.string()) }),
    fc.record({ message: fc.record({ body: fc.constant(Buffer.from('x')), tag: fc.string() }) }),
    fc.record({ state: fc.record({ kind: fc.constantFrom('leased', 'ready'), holder: fc.string() }) }),
  );
  const key = fc.constantFrom<Key>(['a'], ['a', 'b'], ['a', 1], ['b']);
  // As in the engine, a key has either numbers and flags or other values.
  const kindOf = (one: unknown): string => (typeof one === 'number' || typeof one === 'boolean' ? 'n' : 'o');
  const change = fc.record({ isPut: fc.boolean(), key, value });

  it('counts what its pairs take, whatever was put, replaced and deleted', () => {
    void fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const store = new MemoryStore();
        for (const { isPut, key, value } of changes) {
          const own = [kindOf(value), ...key];
          store.write([isPut ? { kind: 'put', key: own, value } : { kind: 'delete', key: own }]);
        }
        const pairs = Array.from(store.scan([]), ([own, stored]) => weightOf(own, stored));
        expect(store.usedBytes()).toBe(pairs.reduce((sum, bytes) => sum + bytes, 0));
      }),
    );
  });
});

describe('LmdbStore while it closes', () => {
  it('reads all or nothing, also what was written meanwhile', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'closing-'));
    const store = onDisk('sync')(folder);
    await store.open();
    const failsToRead = (read: () => unknown): boolean => {
      try {
        read();
        return false;
      } catch {
        return true;
      }
    };
    store.write([{ kind: 'put', key: ['a'], value: 1 }]);
    let isClosed = false;
    const closing = store.close().then(() => {
      isClosed = true;
    });
    await nextTurn();
    store.write([{ kind: 'put', key: ['b'], value: 2 }]);
    let looks = 0;
    for (; !isClosed; looks++) {
      expect(failsToRead(() => store.get(['b']))).toBe(failsToRead(() => [...store.scan([])]));
      await nextTurn();
    }
    await closing;
    expect(looks).toBeGreaterThan(1);
    expect(() => store.get(['b'])).toThrow('is not open');
    await rm(folder, { recursive: true });
  });
});

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('LmdbStore on a disk that is full when all but the last page of a commit is written', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'full-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Replaces the descriptor by which LMDB writes the last page of a commit, unbuffered, with a full device. */
  async function fillDisk(): Promise<void> {
    for (const name of await readdir('/proc/self/fd')) {
      const file = await readlink(`/proc/self/fd/${name}`).catch(() => '');
      const info = await readFile(`/proc/self/fdinfo/${name}`, 'utf8').catch(() => '');
      const flags = Number.parseInt(/^flags:\s+(\d+)/m.exec(info)?.[1] ?? '0', 8);
      if (file !== join(folder, 'messages.mdb') || (flags & constants.O_DSYNC) === 0) continue;
      closeSync(Number(name));
      const others: number[] = [];
      for (let full = -1; full !== Number(name); others.push(full)) full = openSync('/dev/full', 'r+');
      for (const other of others) if (other !== Number(name)) closeSync(other);
      return;
    }
    throw new Error('there is no such descriptor');
  }

  it('throws at every call, reads included, because LMDB rejects those, too', async () => {
    const failures: string[] = [];
    const failed = ({ message }: Error): void => void failures.push(message);
    const options = { folder, flush: 'sync', clock: new SystemClock(), nameOf: String, damaged: () => {} } as const;
    const store = new LmdbStore({ ...options, failed });
    await store.open();
    const put = (value: number): void => store.write([{ kind: 'put', key: ['k'], value }]);
    put(1);
    await store.flush();
    await fillDisk();
    // LMDB prints it as well.
    const printed = jest.spyOn(console, 'error').mockReturnValue(undefined);
    put(2);
    await expect(store.flush()).rejects.toThrow('No space left on device');
    for (const ask of [() => store.get(['other']), () => [...store.scan(['k'])], () => put(3), () => store.flush()]) {
      expect(ask).toThrow(/^the broker cannot write to its disk \(.*No space left on device\)/);
    }
    expect(failures).toHaveLength(1);
    await store.close();
    printed.mockRestore();
  });
});

describe('compareKeys', () => {
  it('sorts numbers by value and before strings, and a prefix before longer keys', () => {
    const keys: Key[] = [['a', 'b'], ['a', 10], ['a', 9], ['a'], ['a', 9, 0], [1]];
    expect(keys.sort(compareKeys)).toEqual([[1], ['a'], ['a', 9], ['a', 9, 0], ['a', 10], ['a', 'b']]);
  });
});

describe('keys as bytes', () => {
  const part = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('a', '\0', '\u007f', '\u0080', '\uffff', '\ud83d', '\ude00', 'ä') }),
    fc.double({ noNaN: true }),
    fc.integer(),
  );
  const key = fc.array(part, { maxLength: 4 });

  it('sort like the keys', () => {
    void fc.assert(
      fc.property(key, key, (left, right) => {
        const order = Math.sign(Buffer.compare(keyToBytes(left), keyToBytes(right)));
        expect(order).toBe(Math.sign(compareKeys(left, right)) + 0);
      }),
      { numRuns: 1_000 },
    );
  });

  it('can be decoded', () => {
    void fc.assert(
      fc.property(key, (key) =>
        expect(bytesToKey(keyToBytes(key))).toEqual(key.map((part) => (part === 0 ? 0 : part))),
      ),
    );
  });
});
