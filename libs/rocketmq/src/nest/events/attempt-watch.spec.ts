// The attempts of handlers that an application can watch.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { NestBench } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import {
  type HandlerAttempt,
  RocketMQBatchContext,
  RocketMQEvents,
  RocketMQListener,
  RocketMQProducer,
} from '../../entries/nest.js';

@Injectable()
class Watcher {
  readonly attempts: HandlerAttempt[] = [];

  constructor(events: RocketMQEvents) {
    events.attempts$.subscribe((attempt) => this.attempts.push(attempt));
  }

  /** In short, in the order in which they ended. */
  get seen(): string[] {
    return this.attempts.map(({ topic, deliveryAttempt, result }) => {
      const end = result.kind === 'handled' ? '' : `: ${(result.error as Error).message}, ${result.settlement?.kind}`;
      return `${topic} ${deliveryAttempt} ${result.kind}${end}`;
    });
  }
}

describe('the attempts of handlers', () => {
  let bench: NestBench;

  beforeEach(async () => {
    bench = await NestBench.open();
  });
  afterEach(() => bench.close());

  it('are reported to a subscriber in a constructor, with their error and what follows', async () => {
    @Injectable()
    class Shop {
      private calls = 0;

      @RocketMQListener('orders', { consumerGroup: 'shop', backoff: 10, maxAttempts: 2 })
      handle(body: string): void {
        this.calls++;
        if (body === 'bad' || this.calls === 1) throw new Error('card declined');
      }
    }
    const app = await bench.start({ providers: [Shop, Watcher] });
    const watcher = app.get(Watcher);
    const producer = app.get(RocketMQProducer);
    const { messageId } = await producer.send({ topic: 'orders', body: '"good"' });
    await until(() => watcher.attempts.length === 1);
    await bench.broker.advance(1_000);
    await until(() => watcher.attempts.length === 2);
    expect(watcher.seen).toEqual(['orders 1 failed: card declined, retry', 'orders 2 handled']);
    expect(watcher.attempts[1]).toMatchObject({ consumerGroup: 'shop', messageId, connection: undefined });
    await producer.send({ topic: 'orders', body: '"bad"' });
    await until(() => watcher.attempts.length === 3);
    await bench.broker.advance(1_000);
    await until(() => watcher.attempts.length === 4);
    expect(watcher.seen.slice(2)).toEqual([
      'orders 1 failed: card declined, retry',
      'orders 2 failed: card declined, deadLetter',
    ]);
  });

  it('are those of each message of a batch', async () => {
    @Injectable()
    class Shop {
      @RocketMQListener('orders', { consumerGroup: 'shop', batch: { maxSize: 3, maxWaitMs: 60_000 }, backoff: 60_000 })
      handle(bodies: string[], context: RocketMQBatchContext): void {
        context.fail(bodies.indexOf('bad'), new Error('no'));
      }
    }
    const app = await bench.start({ providers: [Shop, Watcher] });
    const watcher = app.get(Watcher);
    for (const body of ['"a"', '"bad"', '"b"']) await app.get(RocketMQProducer).send({ topic: 'orders', body });
    await until(() => watcher.attempts.length === 3);
    expect(watcher.seen.sort()).toEqual(['orders 1 failed: no, retry', 'orders 1 handled', 'orders 1 handled']);
  });

  /** A batch listener that ends when it is asked to. @returns the attempts after the application has closed */
  async function batchThatEndsOnItsSignal(timeout: object, options: object): Promise<readonly string[]> {
    let calls = 0;
    @Injectable()
    class Shop {
      @RocketMQListener('orders', { consumerGroup: 'shop', batch: { maxSize: 1, maxWaitMs: 0 }, ...timeout })
      async handle(_: string[], { signal }: RocketMQBatchContext): Promise<void> {
        calls++;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      }
    }
    const app = await bench.start({ providers: [Shop, Watcher], options });
    await app.get(RocketMQProducer).send({ topic: 'orders', body: '"a"' });
    await until(() => calls === 1);
    const watcher = app.get(Watcher);
    if ('handlerTimeoutMs' in timeout) await until(() => watcher.attempts.length === 1);
    await bench.closeApps();
    return watcher.seen;
  }

  it('are handled when a batch succeeds after the grace period of the shutdown', async () => {
    expect(await batchThatEndsOnItsSignal({}, { shutdownGraceMs: 50 })).toEqual(['orders 1 handled']);
  });

  it('are failed when a batch exceeded its timeout, also when it ends then', async () => {
    const seen = await batchThatEndsOnItsSignal({ handlerTimeoutMs: 50, backoff: 60_000 }, {});
    expect(seen).toEqual([expect.stringMatching(/^orders 1 failed: .*did not end within 50 ms, retry$/)]);
  });
});
