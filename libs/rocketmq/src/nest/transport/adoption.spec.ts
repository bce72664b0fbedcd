// How servers created with `new` are found on Nest 10, which does not report them.

import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { type DiscoveryService, ModulesContainer } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { controllerPrototypes } from '../listening/rocketmq.explorer.js';
import { onConnected } from './adoption.js';
import { PATTERN_EXTRAS_METADATA } from './pattern-handlers.js';
import { ServerRocketMQ } from './server-rocketmq.js';

@Controller()
class Orders {
  @EventPattern<string>('orders', { concurrency: 1 })
  handle(_body: unknown): void {}
}

/** While modules are created, Nest would keep the scope that it computes when asked. */
const discovery = {
  getControllers: () => [
    {
      metatype: Orders,
      isDependencyTreeStatic(): never {
        throw new Error('asked for its scope too early');
      },
    },
  ],
} as unknown as Pick<DiscoveryService, 'getControllers'>;

/** Missing in Nest 10. */
class ModulesOfNest10 extends ModulesContainer {}
Object.defineProperty(ModulesOfNest10.prototype, 'getRpcTargetRegistry', { value: undefined });

describe('finding a server that is created with new, on Nest 10', () => {
  it('uses the extras of the handlers, and computes no scope', () => {
    const found: ServerRocketMQ[] = [];
    onConnected(
      new ModulesOfNest10(),
      () => controllerPrototypes(discovery),
      (server) => void found.push(server),
    );
    const extras = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, Orders.prototype.handle);
    expect(Object.entries(extras)).toEqual([['concurrency', 1]]);
    const server = new ServerRocketMQ();
    server.addHandler('orders', async () => undefined, true, extras);
    expect(found).toEqual([server]);
  });
});
