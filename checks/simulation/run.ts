// One run: a plan in, the result out.

import { addressText } from '../../libs/rocketmq/src/client/endpoint.js';
import { GatewayCalls } from '../../libs/rocketmq/src/client/gateway-calls.js';
import { Gateway } from '../../libs/rocketmq/src/gateway/gateway.js';
import { violationsOf } from './checkers.js';
import { inject } from './fault-injection.js';
import { warmUp } from './nest-application.js';
import { nestViolationsOf } from './nest-checkers.js';
import type { Plan } from './plan.js';
import { installHttp2Faults } from './platform/http2.js';
import { bootMachine, currentMachine, shutMachine } from './platform/machine.js';
import { System } from './system.js';

installHttp2Faults(currentMachine);

export interface RunResult {
  readonly plan: Plan;
  readonly violations: readonly string[];
  /** The hash of the complete history. */
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly sends: number;
  readonly handlings: number;
  readonly injected: ReadonlyMap<string, number>;
}

/** The library loads its own by `import()`, which Node resolves at a time that a seed cannot determine. */
function loadGateway(): void {
  Object.assign(GatewayCalls.prototype, {
    async create(this: { options: ConstructorParameters<typeof GatewayCalls>[0]; gateway: Gateway | undefined }) {
      const { nameServers, ...options } = this.options;
      this.gateway = new Gateway({ ...options, nameServers: nameServers.addresses.map(addressText) });
      return this.gateway;
    },
  });
}

/** @param trace called with each line of the history */
export async function runPlan(plan: Plan, trace?: (line: string) => void): Promise<RunResult> {
  if (plan.parts.nest) await warmUp();
  loadGateway();
  const machine = bootMachine(plan.seed);
  machine.simulation.trace = trace;
  const { uncaught } = machine.simulation;
  const onRejection = (reason: unknown): void => {
    uncaught.push(`rejection: ${String((reason as Error | undefined)?.stack ?? reason)}`);
  };
  process.on('unhandledRejection', onRejection);
  try {
    const system = new System(machine, plan);
    const facts = await system.run(inject);
    const { hash, events, nowMs } = machine.simulation;
    return {
      plan,
      violations: [...violationsOf(facts), ...nestViolationsOf(facts)],
      hash,
      events,
      virtualMs: nowMs,
      sends: facts.sends.length,
      handlings: facts.handlings.length,
      injected: system.injected,
    };
  } finally {
    process.off('unhandledRejection', onRejection);
    shutMachine();
  }
}
