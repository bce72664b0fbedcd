// Request-scoped listeners and enhancers, bound to the method and to the application, live for one message: their memory is free after it.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import {
  APP_FILTER,
  APP_GUARD,
  APP_INTERCEPTOR,
  APP_PIPE,
  DiscoveryModule,
  DiscoveryService,
  ExternalContextCreator,
  ModulesContainer,
  REQUEST,
} from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import type { Observable } from 'rxjs';
import type { MessageHandler } from '../consumer/model/handler.js';
import type { MessageView } from '../protocol/model/message.js';
import { silentLogger } from '../support/logger.js';
import { HandlerInvoker } from './listening/handler-invoker.js';
import { planConsumers } from './listening/listener-plan.js';
import { NestCalls } from './listening/nest-call.js';
import { explore } from './listening/rocketmq.explorer.js';
import type { RocketMQContext } from './listening/rocketmq-context.js';
import { RocketMQListener } from './listening/rocketmq-listener.decorator.js';
import { jsonCodec } from './messages/body-codecs.js';
import { NAMES_AS_GIVEN } from './messages/resource-names.js';

const MESSAGES = 16_000;
/** Allowance for the runtime's own warm-up; one leaked instance weighs more. */
const KEPT_BYTES = 256;

/** Each instance holds this much, so that leaked instances cannot be overlooked. */
@Injectable({ scope: Scope.REQUEST })
class Ballast {
  static made = 0;
  readonly weight = new Array<number>(100).fill(0);

  constructor() {
    Ballast.made++;
  }
}

@Injectable({ scope: Scope.REQUEST })
class Guard implements CanActivate {
  constructor(@Inject(Ballast) readonly ballast: Ballast) {}
  canActivate(): boolean {
    return true;
  }
}

@Injectable({ scope: Scope.REQUEST })
class Pipe implements PipeTransform {
  constructor(@Inject(Ballast) readonly ballast: Ballast) {}
  transform(value: unknown): unknown {
    return value;
  }
}

@Injectable({ scope: Scope.REQUEST })
class Interceptor implements NestInterceptor {
  constructor(@Inject(REQUEST) readonly request: RocketMQContext) {}
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@Catch()
@Injectable({ scope: Scope.REQUEST })
class Filter implements ExceptionFilter {
  constructor(@Inject(Ballast) readonly ballast: Ballast) {}
  catch(): void {}
}

@Injectable({ scope: Scope.REQUEST })
class Orders {
  constructor(@Inject(Ballast) readonly ballast: Ballast) {}

  @UseGuards(Guard)
  @UsePipes(Pipe)
  @UseInterceptors(Interceptor)
  @UseFilters(Filter)
  @RocketMQListener('orders', { consumerGroup: 'memory' })
  async handle(@Payload(Pipe) body: number): Promise<void> {
    if (body % 2 === 0) throw new Error('even');
  }
}

async function handler(): Promise<MessageHandler> {
  const providers = [
    Orders,
    Ballast,
    { provide: APP_GUARD, useClass: Guard },
    { provide: APP_PIPE, useClass: Pipe },
    { provide: APP_INTERCEPTOR, useClass: Interceptor },
    { provide: APP_FILTER, useClass: Filter },
  ];
  const app = await Test.createTestingModule({ imports: [DiscoveryModule], providers }).compile();
  const calls = new NestCalls(app.get(ExternalContextCreator), app.get(ModulesContainer), silentLogger);
  const [consumer] = planConsumers(explore(app.get(DiscoveryService), undefined).listeners, {});
  const [listener] = consumer?.listeners ?? [];
  if (listener === undefined) throw new Error('no listener was found');
  return new HandlerInvoker(calls, { codec: jsonCodec, names: NAMES_AS_GIVEN }, silentLogger).handlerOf(listener);
}

function collected(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

describe('a request-scoped listener with all kinds of request-scoped enhancers, bound to it and globally', () => {
  it(`leaves nothing behind over ${MESSAGES} messages`, async () => {
    const handle = await handler();
    const { signal } = new AbortController();
    let failures = 0;
    const handleSome = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index++) {
        const message = {
          topic: 'orders',
          messageId: String(index),
          body: Buffer.from(String(index)),
          deliveryAttempt: 1,
        };
        try {
          await handle(message as MessageView, { signal });
        } catch {
          failures++;
        }
      }
    };
    await handleSome(2_000);
    // What other suites of this process left behind may be counted once; what a message leaves behind is in each round.
    let growthBytes = Number.POSITIVE_INFINITY;
    let handled = 2_000;
    for (let round = 0; round < 3 && growthBytes >= MESSAGES * KEPT_BYTES; round++) {
      const before = collected();
      await handleSome(MESSAGES);
      growthBytes = collected() - before;
      handled += MESSAGES;
    }
    expect(failures).toBe(handled / 2);
    expect(Ballast.made).toBe(handled);
    expect(growthBytes).toBeLessThan(MESSAGES * KEPT_BYTES);
  }, 300_000);
});
