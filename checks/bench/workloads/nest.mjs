// This library under Nest: a method with @RocketMQListener, bare or behind a global pipe and a global interceptor.

import 'reflect-metadata';
import { createRequire } from 'node:module';
import { APP_INTERCEPTOR, APP_PIPE, NestFactory } from '@nestjs/core';
import { bytesCodec, defineTopic, RocketMQListener, RocketMQModule } from 'nestjs-rocketmq';
import { runWorkload } from './client-workloads.mjs';

class PassingPipe {
  /** @param {unknown} value */
  transform(value) {
    return value;
  }
}

class PassingInterceptor {
  /** @param {unknown} _context @param {import('@nestjs/common').CallHandler} next */
  intercept(_context, next) {
    return next.handle();
  }
}

const GLOBAL_ENHANCERS = [
  { provide: APP_PIPE, useClass: PassingPipe },
  { provide: APP_INTERCEPTOR, useClass: PassingInterceptor },
];

await runWorkload({
  version: createRequire(import.meta.url)('nestjs-rocketmq/package.json').version,

  async producer() {
    throw new Error('nothing is sent through Nest here');
  },

  async consumer({ endpoints, topic, group, options }, handle) {
    class Listener {
      /** @param {Buffer} body */
      on(body) {
        handle(body);
      }
    }
    const method = Object.getOwnPropertyDescriptor(Listener.prototype, 'on') ?? {};
    // Bytes as they came: decoding is not what is compared.
    const bytesTopic = defineTopic(topic, { type: 'normal', codec: bytesCodec });
    RocketMQListener(bytesTopic, { consumerGroup: group })(Listener.prototype, 'on', method);
    class Application {}
    const root = {
      module: Application,
      imports: [RocketMQModule.forRoot({ endpoints, ...options.module })],
      providers: [Listener, ...(options.enhanced ? GLOBAL_ENHANCERS : [])],
    };
    await NestFactory.createApplicationContext(root, { logger: ['error'] });
  },
});
