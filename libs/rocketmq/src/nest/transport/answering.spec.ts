// The answer to a request takes its own time: the handler has done its work, and does it once.

import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { ClientBench } from '../../../../../test/support/client-bench.js';
import { until } from '../../../../../test/support/until.js';
import type { RocketMQContext } from '../../index.js';
import type { SendInterceptor } from '../../producer/sending/interceptors.js';

const bench = ClientBench.ofFile();
const TOPIC = 'payments';
/** Longer than the time-out of a handler below and the second that it has after its signal. */
const SLOW_MS = 1_500;

/** An application whose answers are stored slowly; and what it did. */
async function slowToAnswer(timeoutMs: number, work: (context: RocketMQContext) => Promise<void> = async () => {}) {
  const handled: number[] = [];
  /** What the consumer held when the answer was stored. */
  const held: string[] = [];
  @Controller()
  class Payments {
    @MessagePattern<string>(TOPIC, { consumerGroup: TOPIC, timeoutMs })
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

/** What is left of requests. */
function unsettled() {
  const { broker } = bench;
  return [...broker.waiting(), ...broker.inFlight()].filter(({ topic }) => topic === TOPIC);
}

describe('a request whose answer is slow to be stored', () => {
  it('is handled once, and acknowledged after its answer, though the time of its handler is over', async () => {
    const { requester, handled, held } = await slowToAnswer(50);
    expect(await requester.request(TOPIC, 'charge')).toBe('charged 1');
    await bench.broker.idle();
    expect({ handled, held, unsettled: unsettled() }).toEqual({ handled: [1], held: [TOPIC], unsettled: [] });
  });

  it('is handled once, and acknowledged after its answer, though its handler ended after the grace of a shutdown', async () => {
    const { app, requester, handled, held } = await slowToAnswer(60_000, async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    });
    const asked = requester.request(TOPIC, 'charge');
    await until(() => handled.length > 0);
    await app.close();
    expect(await asked).toBe('charged 1');
    expect({ handled, held, unsettled: unsettled() }).toEqual({ handled: [1], held: [TOPIC], unsettled: [] });
  });

  it('is retried when its handler itself took too long', async () => {
    const { requester, handled } = await slowToAnswer(50, async ({ signal }) => {
      if (handled.length > 1) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    });
    void requester.request(TOPIC, 'charge').catch(() => {});
    await until(() => bench.broker.waiting().some(({ topic }) => topic === TOPIC));
    expect(handled).toEqual([1]);
  });
});
