// The Nest application of a simulated service: connects Nest and the library to the work of nest-service.ts.

import { type BeforeApplicationShutdown, Controller, type INestMicroservice, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, NestMicroservice } from '@nestjs/microservices';
import {
  ClientRocketMQ,
  type RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQRequester,
  ServerRocketMQ,
  TransactionalSend,
} from 'nestjs-rocketmq';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { uid } from 'uid';
import { adminAccessToken } from '../../libs/rocketmq/src/nest/common/rocketmq.constants.js';
import { MANUAL_TIMEOUT_MS, NEST_GROUPS } from './nest-checkers.js';
import type { Plan } from './plan.js';
import { GROUPS, MAX_ATTEMPTS, RETRY_MS, TAG, TOPICS } from './worker.js';

export const NEST_TOPICS = { manual: 'tasks', requests: 'questions' } as const;

/** The work of handlers. */
export interface NestWork {
  handle(group: string, context: RocketMQContext): Promise<void>;
  decide(context: RocketMQContext): Promise<void>;
  answer(context: RocketMQContext): Promise<string>;
  /** Resolves when all sends have ended. */
  sent(): Promise<void>;
}

/** Sends a message in each local transaction. */
export abstract class Orders {
  abstract place(key: string, local: () => Promise<void>): Promise<void>;
}

/** Loads the modules that Nest loads on demand. Await it before a simulation: Node resolves them in another thread, at an unpredictable time. */
export async function warmUp(): Promise<void> {
  // Prevents Nest from looking for web sockets at each start.
  Object.assign(NestMicroservice.prototype, { loadSocketModule: () => Promise.resolve() });
  class Nothing {}
  Module({})(Nothing);
  const server = new ServerRocketMQ();
  const app = await NestFactory.createMicroservice(Nothing, { logger: false, abortOnError: false, strategy: server });
  await app.close();
}

/** Creates an application that does not listen yet. It is ready when all promises have settled. */
export async function applicationOf(
  work: NestWork,
  plan: Plan,
  options: RocketMQModuleOptions,
): Promise<INestMicroservice> {
  // Nest derives the names of modules from one random string. A new string makes runs independent of each other.
  uid(Number.MAX_SAFE_INTEGER);
  const app = await NestFactory.createMicroservice(moduleOf(work, plan, options), {
    logger: false,
    abortOnError: false,
    inject: [ServerRocketMQ],
    useFactory: (strategy: ServerRocketMQ) => ({ strategy }),
  });
  const { nameServer = '', logger } = options;
  // Otherwise loaded by `import()`.
  Object.assign(app.get(adminAccessToken()), { cluster: Promise.resolve(new RocketMQAdmin({ nameServer, logger })) });
  return app;
}

function moduleOf(work: NestWork, plan: Plan, options: RocketMQModuleOptions) {
  const { parts, invisibleDurationMs, maxBufferedBytes } = plan;
  const settings = {
    invisibleDurationMs,
    maxBufferedBytes,
    concurrency: 4,
    maxAttempts: MAX_ATTEMPTS,
    backoff: RETRY_MS,
  };

  @Injectable()
  class Readers {
    @RocketMQListener(TOPICS.normal, { ...settings, consumerGroup: GROUPS.normal })
    read(_body: unknown, context: RocketMQContext): Promise<void> {
      return work.handle(GROUPS.normal, context);
    }

    @RocketMQListener(TOPICS.ordered, { ...settings, consumerGroup: GROUPS.ordered, enabled: parts.ordered })
    step(_body: unknown, context: RocketMQContext): Promise<void> {
      return work.handle(GROUPS.ordered, context);
    }

    @RocketMQListener(NEST_TOPICS.manual, {
      ...settings,
      consumerGroup: NEST_GROUPS.manual,
      manual: true,
      handlerTimeoutMs: MANUAL_TIMEOUT_MS,
    })
    tidyUp(_body: unknown, context: RocketMQContext): Promise<void> {
      return work.decide(context);
    }

    @RocketMQListener(TOPICS.transaction, {
      ...settings,
      consumerGroup: GROUPS.transaction,
      enabled: parts.transactions,
    })
    ship(_body: unknown, context: RocketMQContext): Promise<void> {
      return work.handle(GROUPS.transaction, context);
    }
  }

  @Controller()
  class Questions {
    @MessagePattern(NEST_TOPICS.requests, { ...settings, consumerGroup: NEST_GROUPS.requests })
    answer(_question: string, context: RocketMQContext): Promise<string> {
      return work.answer(context);
    }
  }

  @Injectable()
  class SimulatedOrders extends Orders {
    @TransactionalSend(TOPICS.transaction, { message: (key: string) => ({ tag: TAG, body: { key }, keys: [key] }) })
    override async place(_key: string, local: () => Promise<void>): Promise<void> {
      await local();
    }
  }

  @Injectable()
  class Ending implements BeforeApplicationShutdown {
    beforeApplicationShutdown(): Promise<void> {
      return work.sent();
    }
  }

  @Module({
    imports: [RocketMQModule.forRoot(options)],
    controllers: [Questions],
    providers: [
      Readers,
      Ending,
      { provide: Orders, useClass: SimulatedOrders },
      {
        provide: ClientRocketMQ,
        inject: [RocketMQRequester],
        useFactory: (requester: RocketMQRequester) => new ClientRocketMQ({ requester }),
      },
    ],
  })
  class SimulatedModule {}
  return SimulatedModule;
}
