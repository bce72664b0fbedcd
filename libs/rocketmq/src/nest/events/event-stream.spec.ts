import { describe, expect, it } from '@jest/globals';
import { concatMap, filter, map, take } from 'rxjs';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { EventStream } from './event-stream.js';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the stream of events', () => {
  it('emits events in order, after the call that reported them', async () => {
    const stream = new EventStream<number>(recordingLogger());
    const seen: unknown[] = [];
    stream.values$.subscribe({ next: (value) => seen.push(value), complete: () => seen.push('end') });
    for (const value of [1, 2, 3]) stream.put(value);
    expect(seen).toEqual([]);
    stream.close();
    stream.put(4);
    await settled();
    expect(seen).toEqual([1, 2, 3, 'end']);
  });

  it('logs what a subscriber throws or rejects with, and continues for it and for others', async () => {
    const logger = recordingLogger();
    const stream = new EventStream<number>(logger);
    const seen: number[] = [];
    stream.values$.subscribe(() => {
      throw new Error('thrown');
    });
    stream.values$.pipe(filter((value) => value > 1)).subscribe({
      next: async () => {
        throw new Error('rejected');
      },
    });
    stream.values$.pipe(take(5)).subscribe((value) => seen.push(value));
    for (const value of [1, 2]) stream.put(value);
    await settled();
    expect(seen).toEqual([1, 2]);
    expect(logger.lines.map(([line, { error }]) => `${line}: ${error}`)).toEqual([
      'error a subscriber of RocketMQEvents failed: thrown',
      'error a subscriber of RocketMQEvents failed: thrown',
      'error a subscriber of RocketMQEvents failed: rejected',
    ]);
  });

  it("passes an error in a subscriber's own operators to it, and logs it without an error handler", async () => {
    const logger = recordingLogger();
    const stream = new EventStream<number>(logger);
    const seen: unknown[] = [];
    const fail = map((): number => {
      throw new Error('in between');
    });
    stream.values$.pipe(fail).subscribe({ error: (error: Error) => seen.push(error.message) });
    stream.values$.pipe(fail).subscribe();
    stream.values$.subscribe((value) => seen.push(value));
    for (const value of [1, 2]) stream.put(value);
    await settled();
    expect(seen).toEqual(['in between', 1, 2]);
    expect(logger.lines).toHaveLength(1);
  });

  it('waits for no subscriber: a slow one gets its events later', async () => {
    const stream = new EventStream<number>(recordingLogger());
    const done: number[] = [];
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slowly = async (value: number): Promise<number> => {
      await gate;
      return value;
    };
    stream.values$.pipe(concatMap(slowly)).subscribe((value) => done.push(value));
    const quick: number[] = [];
    stream.values$.subscribe((value) => quick.push(value));
    for (const value of [1, 2]) stream.put(value);
    await settled();
    expect([quick, done]).toEqual([[1, 2], []]);
    release();
    await settled();
    expect(done).toEqual([1, 2]);
  });

  it('emits nothing after an unsubscribe', async () => {
    const stream = new EventStream<number>(recordingLogger());
    const seen: number[] = [];
    const subscription = stream.values$.pipe(map((value) => value)).subscribe((value) => seen.push(value));
    stream.put(1);
    await settled();
    subscription.unsubscribe();
    stream.put(2);
    await settled();
    expect(seen).toEqual([1]);
  });
});
