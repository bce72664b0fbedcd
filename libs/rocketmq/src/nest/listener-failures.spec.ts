// What happens when listeners fail, by the policies of module and listener.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import {
  DEAD_LETTER_PROPERTIES,
  type DeadLetter,
  DeadLetterError,
  defineTopic,
  HandlerTimeoutError,
  InvalidBodyError,
  MINUTE_MS,
  type RocketMQContext,
  RocketMQListener,
  RocketMQProducer,
  SECOND_MS,
  type SendInterceptor,
} from '../entries/nest.js';

class NoStock extends Error {
  override readonly name = 'NoStock';
}

let bench: NestBench;

beforeAll(async () => {
  bench = await NestBench.open();
});
afterEach(() => bench.closeApps());
afterAll(() => bench.close());

describe('the failure policy of a listener', () => {
  it('comes from the module where the listener sets none, and by name from the options', async () => {
    @Injectable()
    class Orders {
      @RocketMQListener('policy-module', { consumerGroup: 'policy-module' })
      async module(): Promise<void> {
        throw new NoStock();
      }

      @RocketMQListener('policy-own', { consumerGroup: 'policy-own', backoff: [2 * MINUTE_MS, 3 * MINUTE_MS] })
      async own(): Promise<void> {
        throw new NoStock();
      }

      @RocketMQListener('policy-named', { consumerGroup: 'policy-named', backoff: 1 })
      async named(): Promise<void> {
        throw new NoStock();
      }
    }
    const exponential = { kind: 'exponential', initialMs: 4 * MINUTE_MS, maxMs: 5 * MINUTE_MS, multiplier: 2 } as const;
    const options = { defaults: { backoff: MINUTE_MS }, listeners: { 'Orders.named': { backoff: exponential } } };
    const app = await bench.start({ providers: [Orders], options });
    for (const group of ['policy-module', 'policy-own', 'policy-named']) await bench.send(app, group, 1);
    const waits = () => ['policy-module', 'policy-own', 'policy-named'].map((group) => bench.retries(group)[0]?.[1]);
    expect(waits()).toEqual([MINUTE_MS, 2 * MINUTE_MS, 4 * MINUTE_MS]);
    await bench.broker.advance(MINUTE_MS);
    expect(waits()).toEqual([MINUTE_MS, MINUTE_MS, 3 * MINUTE_MS]);
    await bench.broker.advance(3 * MINUTE_MS);
    expect(waits()).toEqual([MINUTE_MS, MINUTE_MS, 5 * MINUTE_MS]);
  });

  it('limits the attempts, passes the error to the hook, and leaves the message in the dead letter queue', async () => {
    const calls: [string, string, unknown, number][] = [];
    const onDeadLetter = ({ consumerGroup, reason, error, message }: DeadLetter) =>
      void calls.push([consumerGroup, reason, error, message.deliveryAttempt]);
    @Injectable()
    class Orders {
      @RocketMQListener('bounded', { consumerGroup: 'bounded', maxAttempts: 2, backoff: SECOND_MS, onDeadLetter })
      async handle(): Promise<void> {
        throw new NoStock('none left');
      }
    }
    const app = await bench.start({ providers: [Orders] });
    await bench.send(app, 'bounded', 1);
    expect([calls, bench.deadLetters('bounded')]).toEqual([[], []]);
    await bench.broker.advance(SECOND_MS);
    expect(calls).toEqual([['bounded', 'attempts-exhausted', new NoStock('none left'), 2]]);
    expect(bench.deadLetters('bounded')).toEqual(['1']);
  });

  it('rejects more attempts than the server allows at startup', async () => {
    @Injectable()
    class Orders {
      @RocketMQListener('eager', { consumerGroup: 'eager', maxAttempts: 100 })
      async handle(): Promise<void> {}
    }
    await expect(bench.start({ providers: [Orders] })).rejects.toThrow(
      /TOO_MANY_ATTEMPTS.*Orders\.handle.*100.*"eager"/,
    );
  });

  it('distinguishes errors by retryOn and deadLetterOn', async () => {
    @Injectable()
    class Orders {
      @RocketMQListener('sorted', { consumerGroup: 'sorted', deadLetterOn: [NoStock] })
      async never(): Promise<void> {
        throw new NoStock();
      }

      @RocketMQListener('only', { consumerGroup: 'only', retryOn: [NoStock], onInvalid: 'retry' })
      async only(body: string): Promise<void> {
        throw body === 'known' ? new NoStock() : new TypeError('a bug');
      }
    }
    const app = await bench.start({ providers: [Orders] });
    await bench.send(app, 'sorted', '"x"');
    await bench.send(app, 'only', '"known"', '"unknown"', 'not JSON');
    expect(bench.deadLetters('sorted')).toEqual(['"x"']);
    expect(bench.deadLetters('only')).toEqual(['"unknown"']);
    expect(
      bench
        .retries('only')
        .map(([body]) => body)
        .sort(),
    ).toEqual(['"known"', 'not JSON']);
  });

  it('sends dead letters to a topic of its choice, with the fields of the message and the reason', async () => {
    const Graves = defineTopic('graves', { type: 'normal' });
    const errors = [new NoStock('none\nleft'), new DeadLetterError('no such customer')];
    @Injectable()
    class Orders {
      @RocketMQListener('buried', { consumerGroup: 'buried', maxAttempts: 1, deadLetterTopic: Graves })
      async handle(): Promise<void> {
        throw errors.shift();
      }
    }
    const app = await bench.start({ providers: [Orders] });
    const producer = app.get(RocketMQProducer);
    const own = JSON.parse('{"tenant":"acme","constructor":"c","__proto__":"p"}');
    const properties = { ...own, originTopic: 'an older story' };
    const first = await producer.send({ topic: 'buried', tag: 't', keys: ['k'], properties, body: '1' });
    await bench.broker.idle();
    await bench.send(app, 'buried', 2);
    const graves = bench.broker.messages('graves');
    const [buried, second] = ['1', '2'].map((body) => graves.find((grave) => grave.body.toString() === body));
    expect(buried).toMatchObject({ tag: 't', keys: ['k'], body: Buffer.from('1') });
    expect(Object.entries(buried?.properties ?? {})).toEqual(expect.arrayContaining(Object.entries(own)));
    expect(buried?.properties).toEqual({
      ...own,
      originTopic: 'buried',
      originMessageId: first.messageId,
      originConsumerGroup: 'buried',
      originAttempts: '1',
      deadLetterReason: 'attempts-exhausted',
      errorName: 'NoStock',
      errorMessage: 'none left',
    });
    expect(second?.properties[DEAD_LETTER_PROPERTIES.reason]).toBe('handler-decided');
    expect([bench.deadLetters('buried'), bench.retries('buried')]).toEqual([[], []]);
  });

  // The end of one of them is in the middle of a pair.
  it.each(['odd', 'even'])(
    'keeps a dead letter in a topic of its choice although its error is long: %s',
    async (length) => {
      const topic = `long-error-${length}`;
      @Injectable()
      class Orders {
        @RocketMQListener(topic, { consumerGroup: topic, maxAttempts: 1, deadLetterTopic: `graves-of-${topic}` })
        async handle(): Promise<void> {
          throw new DeadLetterError(`${length === 'odd' ? 'x' : ''}${'😀'.repeat(400)}`);
        }
      }
      const app = await bench.start({ providers: [Orders] });
      await bench.send(app, topic, 1);
      expect(bench.deadLetters(topic)).toEqual([]);
      const [grave] = bench.broker.messages(`graves-of-${topic}`);
      expect(grave?.properties[DEAD_LETTER_PROPERTIES.errorMessage]).toMatch(/(😀){200}$/u);
    },
  );

  it('keeps a dead letter in a topic of its choice although its properties leave no room for the reason, and says what is left out', async () => {
    @Injectable()
    class Orders {
      @RocketMQListener('too-full', { consumerGroup: 'too-full', maxAttempts: 1, deadLetterTopic: 'graves' })
      async handle(): Promise<void> {
        throw new NoStock();
      }
    }
    const app = await bench.start({ providers: [Orders] });
    const properties = { large: 'x'.repeat(16_300), small: 'kept' };
    await app.get(RocketMQProducer).send({ topic: 'too-full', properties, body: '1' });
    await bench.broker.idle();
    expect([bench.deadLetters('too-full'), bench.retries('too-full')]).toEqual([[], []]);
    const { topic, leftOut, reason } = DEAD_LETTER_PROPERTIES;
    const grave = bench.broker.messages('graves').find(({ properties }) => properties[topic] === 'too-full');
    expect(grave?.properties).toMatchObject({
      small: 'kept',
      [reason]: 'attempts-exhausted',
      [leftOut]: '["large"]',
    });
  });

  it.each([
    ['large', { signature: 's'.repeat(684) }, { large: 'x'.repeat(15_550), small: 'kept' }],
    [
      'numerous',
      Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`own${i}`, 'v'])),
      Object.fromEntries(Array.from({ length: 122 }, (_, i) => [`p${i}`, 'v'])),
    ],
  ])(
    'keeps a dead letter in a topic of its choice although an interceptor adds to its %s properties',
    async (what, common, properties) => {
      const [topic, graves] = [`full-of-${what}`, `graves-full-of-${what}`];
      @Injectable()
      class Orders {
        @RocketMQListener(topic, { consumerGroup: topic, maxAttempts: 1, deadLetterTopic: graves })
        async handle(): Promise<void> {
          throw new NoStock();
        }
      }
      // The interceptor is in the application that dead-letters, not in the one that sends.
      const sign: SendInterceptor = (message, next) =>
        next({ ...message, properties: { ...message.properties, ...(message.topic === graves ? common : {}) } });
      const app = await bench.start({ providers: [Orders], options: { producer: { interceptors: [sign] } } });
      await app.get(RocketMQProducer).send({ topic, properties, body: '1' });
      await bench.broker.idle();
      expect([bench.deadLetters(topic), bench.retries(topic)]).toEqual([[], []]);
      const [grave] = bench.broker.messages(graves);
      const { topic: origin, leftOut } = DEAD_LETTER_PROPERTIES;
      expect(grave?.properties).toMatchObject({
        ...common,
        [origin]: topic,
        [leftOut]: expect.stringMatching(/^\["\w+"/),
      });
    },
  );

  it('fails a handler that exceeds its timeout, and retries its message', async () => {
    const signals: AbortSignal[] = [];
    const errors: unknown[] = [];
    @Injectable()
    class Orders {
      @RocketMQListener('slow', { consumerGroup: 'slow', handlerTimeoutMs: 20, retryOn: [NoStock] })
      handle(_body: unknown, { signal }: RocketMQContext): Promise<void> {
        signals.push(signal);
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      }
    }
    const events = { onFailed: (_message: unknown, error: unknown) => void errors.push(error) };
    const app = await bench.start({ providers: [Orders], options: { events } });
    await bench.send(app, 'slow', 1);
    expect([signals[0]?.aborted, errors[0]]).toEqual([true, expect.any(HandlerTimeoutError)]);
    expect(bench.retries('slow')).toHaveLength(1);
  });

  it('applies to invalid bodies, too', async () => {
    const errors: unknown[] = [];
    @Injectable()
    class Orders {
      @RocketMQListener('invalid', {
        consumerGroup: 'invalid',
        deadLetterTopic: 'graves-of-invalid',
        onDeadLetter: ({ error }) => void errors.push((error as Error).cause),
      })
      async handle(): Promise<void> {}
    }
    const app = await bench.start({ providers: [Orders] });
    await bench.send(app, 'invalid', 'not JSON');
    expect(errors).toEqual([expect.any(InvalidBodyError)]);
    expect(bench.broker.messages('graves-of-invalid')).toHaveLength(1);
  });
});
