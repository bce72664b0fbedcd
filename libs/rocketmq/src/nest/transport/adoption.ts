// How an application that imports RocketMQModule finds a ServerRocketMQ that was created with `new`, as soon as it is connected.

import type { ModulesContainer } from '@nestjs/core';
import { methods } from '../listening/rocketmq.explorer.js';
import { PATTERN_EXTRAS_METADATA } from './pattern-handlers.js';
import { ADOPT, ServerRocketMQ } from './server-rocketmq.js';

/** From Nest 11 on. */
interface RpcTargets {
  getRpcTargetRegistry?(): { subscribe(next: (target: unknown) => void): void };
}

/**
 * Calls back with each server that is connected to this application, possibly several times. Nest 11 and later report servers; on 10
 * the extras of the handlers, which Nest passes to the server, identify the application.
 * @param controllers the prototypes of the application's controllers
 */
export function onConnected(
  modules: ModulesContainer,
  controllers: () => Iterable<object>,
  adopt: (server: ServerRocketMQ) => void,
): void {
  const adoptOurs = (target: unknown): void => {
    if (target instanceof ServerRocketMQ) adopt(target);
  };
  const { getRpcTargetRegistry } = modules as RpcTargets;
  if (typeof getRpcTargetRegistry === 'function') {
    getRpcTargetRegistry.call(modules).subscribe(adoptOurs);
    return;
  }
  for (const prototype of controllers()) {
    for (const [, method] of methods(prototype)) {
      const extras: unknown = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method);
      if (typeof extras !== 'object' || extras === null) continue;
      Object.defineProperty(extras, ADOPT, { value: adoptOurs, configurable: true, enumerable: false });
    }
  }
}
