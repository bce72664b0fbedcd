// How an application that imports RocketMQModule finds a ServerRocketMQ that was created with `new`, as soon as it is connected, and all that
// are connected when it starts.

import type { ModulesContainer } from '@nestjs/core';
import { OWN_NAME, OWN_RUNTIME_FAMILY } from '../common/rocketmq.constants.js';
import { methods } from '../listening/rocketmq.explorer.js';
import { PATTERN_EXTRAS_METADATA, type Taken } from './pattern-handlers.js';
import type { RuntimeFamily } from './runtime-family.js';
import { ADOPT, ServerRocketMQ } from './server-rocketmq.js';

/** All connections of an application. */
export function familiesIn(modules: ModulesContainer): RuntimeFamily[] {
  const cores = [...modules.values()].filter(({ providers }) => providers.has(OWN_NAME));
  return cores.map(({ providers }) => providers.get(OWN_RUNTIME_FAMILY)?.instance as RuntimeFamily);
}

/** What the servers take that are connected to this application, on all its connections. */
export function takenIn(modules: ModulesContainer): Taken {
  const families = familiesIn(modules);
  const servers = families.flatMap((family) => family.servers().filter(({ isConnected }) => isConnected));
  return {
    transports: new Set(servers.map(({ transportId }) => transportId)),
    isAnyConnected: servers.length > 0 || hasOtherTarget(modules),
    first: families.find(({ isReceiving }) => isReceiving)?.name,
  };
}

/** Whether there is a server of another library. Nest 10 does not report any, so that there may be one. */
function hasOtherTarget(modules: ModulesContainer): boolean {
  const { getRpcTargetRegistry } = modules as RpcTargets;
  if (typeof getRpcTargetRegistry !== 'function') return true;
  let isThere = false;
  const see = (target: unknown): void => {
    isThere ||= !(target instanceof ServerRocketMQ);
  };
  getRpcTargetRegistry.call(modules).subscribe(see).unsubscribe();
  return isThere;
}

/** From Nest 11 on. */
interface RpcTargets {
  getRpcTargetRegistry?(): { subscribe(next: (target: unknown) => void): { unsubscribe(): void } };
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
