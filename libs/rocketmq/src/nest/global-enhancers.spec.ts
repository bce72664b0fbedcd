// Global enhancers, most of which are made for HTTP.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  type INestApplication,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { NestBench, recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import { RocketMQListener } from '../entries/nest.js';

const marks: string[] = [];

class HttpGuard implements CanActivate {
  canActivate(): boolean {
    marks.push('guard');
    return false;
  }
}

class CarelessGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<{ headers: { user: string } }>().headers.user !== '';
  }
}

class Pipe implements PipeTransform {
  transform(value: unknown): unknown {
    marks.push('pipe');
    return value;
  }
}

class Interceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    marks.push('interceptor');
    return next.handle();
  }
}

@Catch()
class Filter implements ExceptionFilter {
  catch(_error: unknown, _host: ArgumentsHost): void {
    marks.push('filter');
  }
}

let bench: NestBench;

beforeAll(async () => {
  bench = await NestBench.open();
});
afterEach(async () => {
  await bench.closeApps();
  marks.length = 0;
});
afterAll(() => bench.close());

function failures() {
  const errors: unknown[] = [];
  return { errors, events: { onFailed: (_message: unknown, error: unknown) => void errors.push(error) } };
}

describe('a global guard that denies a message', () => {
  it('is named in the error, together with the option that disables it', async () => {
    @Injectable()
    class Orders {
      @RocketMQListener('denied', { consumerGroup: 'denied' })
      async handle(): Promise<void> {}
    }
    const { errors, events } = failures();
    const prepare = (app: INestApplication) => void app.useGlobalGuards(new HttpGuard());
    await bench.send(await bench.start({ providers: [Orders], options: { events }, prepare }), 'denied', 1);
    expect(errors).toEqual([expect.any(ForbiddenException)]);
    expect((errors[0] as Error).message).toMatch(
      /global guard HttpGuard denied.*Orders\.handle.*globalEnhancers: false/,
    );
  });

  it('is named, too, when it is request-scoped', async () => {
    @Injectable()
    class Orders {
      @RocketMQListener('denied-scoped', { consumerGroup: 'denied-scoped' })
      async handle(): Promise<void> {}
    }
    const { errors, events } = failures();
    const guard = { provide: APP_GUARD, useClass: HttpGuard, scope: Scope.REQUEST };
    await bench.send(await bench.start({ providers: [Orders, guard], options: { events } }), 'denied-scoped', 1);
    expect((errors[0] as Error).message).toMatch(/global guard HttpGuard denied/);
  });

  it('is named in the log when it fails because there is no HTTP request; its error decides', async () => {
    @Injectable()
    class Orders {
      @RocketMQListener('careless', { consumerGroup: 'careless' })
      async handle(): Promise<void> {}
    }
    const logger = recordingLogger();
    const { errors, events } = failures();
    const prepare = (app: INestApplication) => void app.useGlobalGuards(new CarelessGuard());
    await bench.send(await bench.start({ providers: [Orders], options: { events, logger }, prepare }), 'careless', 1);
    expect(errors).toEqual([expect.any(TypeError)]);
    const lines = logger.lines.map(([line]) => line).filter((line) => line.includes('CarelessGuard'));
    expect(lines).toEqual([expect.stringMatching(/^warn global guard CarelessGuard threw.*globalEnhancers: false/)]);
  });

  it('is not named where a guard of the method denies the message', async () => {
    @Injectable()
    class Orders {
      @UseGuards(HttpGuard)
      @RocketMQListener('denied-locally', { consumerGroup: 'denied-locally' })
      async handle(): Promise<void> {}
    }
    const { errors, events } = failures();
    await bench.send(await bench.start({ providers: [Orders], options: { events } }), 'denied-locally', 1);
    expect((errors[0] as Error).message).toBe('Forbidden resource');
  });
});

describe('globalEnhancers: false', () => {
  const bindAll = (app: INestApplication): void => {
    app.useGlobalGuards(new HttpGuard());
    app.useGlobalPipes(new Pipe());
    app.useGlobalInterceptors(new Interceptor());
    app.useGlobalFilters(new Filter());
  };

  it('disables all of them, for one listener', async () => {
    @Injectable()
    class Orders {
      @RocketMQListener('without', { consumerGroup: 'without', globalEnhancers: false })
      async without(): Promise<void> {
        throw new Error('no');
      }

      @RocketMQListener('with', { consumerGroup: 'with' })
      async with(): Promise<void> {}
    }
    const app = await bench.start({ providers: [Orders], prepare: bindAll });
    await bench.send(app, 'without', 1);
    expect([marks, bench.retries('without').length]).toEqual([[], 1]);
    await bench.send(app, 'with', 1);
    expect(marks).toEqual(['guard', 'filter']);
  });

  it('disables enhancers from the container for all listeners, and keeps those of the method', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Orders {
      @UseGuards(HttpGuard)
      @RocketMQListener('local-only', { consumerGroup: 'local-only' })
      async handle(): Promise<void> {}
    }
    const providers = [Orders, { provide: APP_INTERCEPTOR, useClass: Interceptor, scope: Scope.REQUEST }];
    const app = await bench.start({ providers, options: { defaults: { globalEnhancers: false } } });
    await bench.send(app, 'local-only', 1);
    expect([marks, bench.retries('local-only').length]).toEqual([['guard'], 1]);
  });
});

describe('a filter that throws', () => {
  it('is logged, and the original error decides', async () => {
    @Catch()
    class Throwing implements ExceptionFilter {
      catch(): never {
        throw new Error('the filter is broken');
      }
    }
    @Injectable()
    class Orders {
      @RocketMQListener('filtered', { consumerGroup: 'filtered' })
      async handle(): Promise<void> {
        throw new Error('the first');
      }
    }
    const logger = recordingLogger();
    const { errors, events } = failures();
    const prepare = (app: INestApplication) => void app.useGlobalFilters(new Throwing());
    await bench.send(await bench.start({ providers: [Orders], options: { logger, events }, prepare }), 'filtered', 1);
    expect(errors).toEqual([new Error('the first')]);
    expect(logger.lines).toContainEqual([
      'warn an exception filter threw; the outcome follows the original error',
      { error: 'the filter is broken' },
    ]);
  });
});
