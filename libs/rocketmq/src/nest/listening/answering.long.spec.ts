// The answer to a request does not count against the handler's timeout: the handler has succeeded, and runs once.

import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { ClientBench } from '../../../../../test/fixtures/client-bench.js';
import { until } from '../../../../../tools/until.js';
import type { ConsumeInterceptor, RocketMQContext } from '../../entries/nest.js';
import type { SendInterceptor } from '../../producer/sending/interceptors.js';
import { bodyBytes } from '../../protocol/model/message.js';
import { HOUR_MS } from '../../support/clock.js';

const bench = ClientBench.ofFile();
const TOPIC = 'payments';
/** Longer than the timeout of a handler below plus the second that it has after its signal. */
const SLOW_MS = 1_500;

/** An application whose answers are stored slowly, and a record of what it did. */
async function slowToAnswer(timeoutMs: number, work: (context: RocketMQContext) => Promise<void> = async () => {}) {
  const handled: number[] = [];
  /** What the consumer held when the answer was stored. */
  const held: string[] = [];
  @Controller()
  class Payments {
    @MessagePattern<string>(TOPIC, { consumerGroup: TOPIC, handlerTimeoutMs: timeoutMs })
    async charge(_body: unknown, context: RocketMQContext): Promise<string> {
      handled.push(context.message.deliveryAttempt);
      await work(context);
      return `charged ${handled.length}`;
    }
  }
  const interceptor: SendInterceptor = async (message, next) => {
    bench.broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: SLOW_MS } });
    const receipt = await next(message);
    held.push(...bench.broker.inFlight().flatMap(({ topic }) => (topic === TOPIC ? [topic] : [])));
    return receipt;
  };
  const app = await bench.server(Payments, { shutdownGraceMs: 50, producer: { interceptors: [interceptor] } });
  const { requester } = await bench.asking();
  return { app, requester, handled, held };
}

/** The requests that remain. */
function unsettled() {
  const { broker } = bench;
  return [...broker.waiting(), ...broker.inFlight()].filter(({ topic }) => topic === TOPIC);
}

describe('a request whose answer is slow to be stored', () => {
  it('is handled once, and acknowledged after its answer, although the timeout of its handler has passed', async () => {
    const { requester, handled, held } = await slowToAnswer(50);
    expect(await requester.request(TOPIC, 'charge')).toBe('charged 1');
    await bench.broker.idle();
    expect({ handled, held, unsettled: unsettled() }).toEqual({ handled: [1], held: [TOPIC], unsettled: [] });
  });

  it('is handled once, and acknowledged after its answer, although its handler ended after the grace period of a shutdown', async () => {
    const { app, requester, handled, held } = await slowToAnswer(60_000, async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    });
    const asked = requester.request(TOPIC, 'charge');
    await until(() => handled.length > 0);
    await app.close();
    expect(await asked).toBe('charged 1');
    expect({ handled, held, unsettled: unsettled() }).toEqual({ handled: [1], held: [TOPIC], unsettled: [] });
  });

  it('is retried when its handler itself exceeds its timeout', async () => {
    const { requester, handled } = await slowToAnswer(50, async ({ signal }) => {
      if (handled.length > 1) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    });
    void requester.request(TOPIC, 'charge').catch(() => {});
    await until(() => bench.broker.waiting().some(({ topic }) => topic === TOPIC));
    expect(handled).toEqual([1]);
  });

  it('is answered and acknowledged when its timeout passes within a second after the signal of a shutdown', async () => {
    const { app, requester, handled, held } = await slowToAnswer(300, async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      await setTimeout(400);
    });
    const asked = requester.request(TOPIC, 'charge');
    await until(() => handled.length > 0);
    await app.close();
    expect(await asked).toBe('charged 1');
    expect({ handled, held, unsettled: unsettled() }).toEqual({ handled: [1], held: [TOPIC], unsettled: [] });
  });

  it('is not answered by an abandoned handler, since the next attempt answers', async () => {
    const answered: string[] = [];
    let begun = 0;
    @Controller()
    class Payments {
      @MessagePattern<string>(TOPIC, { consumerGroup: TOPIC })
      async charge(): Promise<string> {
        begun++;
        await setTimeout(2_000);
        return 'charged';
      }
      // The answer to another request keeps the producer open for longer.
      @MessagePattern<string>('other', { consumerGroup: 'other' })
      async other(): Promise<string> {
        begun++;
        return 'other';
      }
    }
    const interceptor: SendInterceptor = async (message, next) => {
      const body = bodyBytes(message.body).toString();
      answered.push(body);
      if (body.includes('other')) await setTimeout(3_000);
      return next(message);
    };
    const options = { shutdownGraceMs: 50, producer: { interceptors: [interceptor] } };
    const app = await bench.server(Payments, options);
    const { requester } = await bench.asking();
    for (const topic of [TOPIC, 'other']) void requester.request(topic, '').catch(() => {});
    await until(() => begun === 2);
    await app.close();
    expect(answered).toEqual(['"other"']);
    expect(unsettled()).toHaveLength(1);
  });

  it('releases its turn when an interceptor around it never ends', async () => {
    const handled: unknown[] = [];
    const interceptors: ConsumeInterceptor[] = [
      async (message, _context, next) => {
        await next();
        if (message.deliveryAttempt === 1 && message.body.includes('first')) await new Promise(() => {});
      },
    ];
    @Controller()
    class Payments {
      @MessagePattern<string>(TOPIC, {
        consumerGroup: TOPIC,
        handlerTimeoutMs: 200,
        concurrency: 1,
        backoff: HOUR_MS,
        interceptors,
      })
      async charge(body: unknown): Promise<string> {
        handled.push(body);
        return 'charged';
      }
    }
    await bench.server(Payments);
    const { requester } = await bench.asking();
    expect(await requester.request(TOPIC, 'first')).toBe('charged');
    expect(await requester.request(TOPIC, 'second')).toBe('charged');
    expect(handled).toEqual(['first', 'second']);
  });
});
