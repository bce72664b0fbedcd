// What a listener's method and its interceptors return, at once or later, and what becomes of the message.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { concat, NEVER, type Observable, of, throwError, timer } from 'rxjs';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import { RocketMQListener } from '../entries/nest.js';

@Injectable()
class Passing implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@Injectable()
class NeverCompleting implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return concat(next.handle(), NEVER);
  }
}

const filtered: string[] = [];

@Catch()
class RecordingFilter implements ExceptionFilter {
  catch(error: Error, host: ArgumentsHost): void {
    filtered.push(`${error.message} of ${host.getType()}: ${String(host.getArgByIndex(0))}`);
  }
}

/** What a method does with its body, by name. */
const DOES: Readonly<Record<string, () => unknown>> = {
  'returns at once': () => 'done',
  'returns later': async () => 'done',
  'emits several': () => concat(of(1, 2), timer(5), of(3)),
  'throws at once': () => {
    throw new Error('thrown');
  },
  rejects: async () => {
    throw new Error('rejected');
  },
  'emits an error': () =>
    concat(
      of(1),
      throwError(() => new Error('emitted')),
    ),
};

@Injectable()
@UseFilters(RecordingFilter)
class Listeners {
  readonly handled: string[] = [];

  @RocketMQListener('plain-results', { consumerGroup: 'plain-results' })
  plain(body: string): unknown {
    this.handled.push(body);
    return DOES[body]?.();
  }

  @UseInterceptors(Passing, Passing)
  @RocketMQListener('intercepted-results', { consumerGroup: 'intercepted-results' })
  intercepted(body: string): unknown {
    return this.plain(body);
  }

  @UseInterceptors(NeverCompleting)
  @RocketMQListener('endless-results', { consumerGroup: 'endless-results', handlerTimeoutMs: 100 })
  endless(body: string): void {
    this.plain(body);
  }
}

let bench: NestBench;

beforeAll(async () => {
  bench = await NestBench.open();
});
afterEach(async () => {
  await bench.closeApps();
  filtered.length = 0;
});
afterAll(() => bench.close());

function start() {
  const failed: string[] = [];
  const events = { onFailed: (_message: unknown, error: unknown) => void failed.push((error as Error).message) };
  return bench.start({ providers: [Listeners], options: { events } }).then((app) => ({ app, failed }));
}

describe.each(['plain', 'intercepted'])('a %s listener', (kind) => {
  it.each(['returns at once', 'returns later', 'emits several'])('that %s has handled its message', async (body) => {
    const { app, failed } = await start();
    await bench.send(app, `${kind}-results`, JSON.stringify(body));
    expect([app.get(Listeners).handled, failed, filtered]).toEqual([[body], [], []]);
  });

  it.each([
    ['throws at once', 'thrown'],
    ['rejects', 'rejected'],
    ['emits an error', 'emitted'],
  ])('that %s has failed, after its filter', async (body, error) => {
    const { app, failed } = await start();
    await bench.send(app, `${kind}-results`, JSON.stringify(body));
    expect(failed).toEqual([error]);
    expect(filtered).toEqual([`${error} of rocketmq: ${body}`]);
  });
});

describe('an interceptor whose observable never completes', () => {
  it('keeps the message until the timeout of the handler', async () => {
    const { app, failed } = await start();
    await bench.send(app, 'endless-results', '"returns at once"');
    expect(app.get(Listeners).handled).toEqual(['returns at once']);
    expect(failed).toEqual([expect.stringMatching(/did not end within 100 ms/)]);
  });
});
