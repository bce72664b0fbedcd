// Pauses a consumer group on all brokers for a while, as an operator does.

import { SECOND_MS } from 'nestjs-rocketmq';
import { type GroupRecord, keys } from '../../libs/rocketmq/src/broker/store/records.js';
import type { BrokerNode } from './broker-node.js';
import { NEST_GROUPS } from './nest-checkers.js';
import type { Fault } from './plan.js';
import type { System } from './system.js';
import { GROUPS } from './worker.js';

/** A broker that does not wait for its disk may have forgotten by then that the group was resumed. */
const AGAIN_MS = 10 * SECOND_MS;
const TIMES = 6;

/** Does nothing while a broker is away: the call of an operator fails then. */
export function pauseGroup(system: System, { pick, durationMs }: Fault): void {
  const { pauses, plan, simulation } = system;
  const { nodes } = system.cluster;
  const { ordered, simple, nest } = plan.parts;
  const groups = [
    GROUPS.normal,
    ...(ordered ? [GROUPS.ordered] : []),
    ...(simple && !nest ? [GROUPS.simple] : []),
    ...(nest ? [NEST_GROUPS.manual] : []),
  ];
  const group = groups[Math.floor(pick * groups.length)] ?? GROUPS.normal;
  const isPaused = (): boolean => pauses.some((one) => one.group === group && one.untilMs > simulation.nowMs);
  if (!nodes.every(({ isServing }) => isServing) || isPaused()) return;
  pauses.push({ group, fromMs: simulation.nowMs, untilMs: simulation.nowMs + durationMs });
  for (const node of nodes) enable(system, node, group, false);
  const resume = (left: number): void => {
    if (isPaused()) return;
    for (const node of nodes) enable(system, node, group, true);
    if (left > 0) system.later(AGAIN_MS, () => resume(left - 1));
  };
  system.later(durationMs, () => resume(TIMES));
}

function enable(system: System, node: BrokerNode, group: string, delivers: boolean): void {
  const { simulation } = system;
  if (!node.isServing) {
    if (delivers) system.later(SECOND_MS, () => enable(system, node, group, delivers));
    return;
  }
  const { broker } = node;
  simulation.at(simulation.nowMs, node.process, () => {
    if (!node.isServing || broker !== node.broker) return;
    const { store } = broker.inside;
    const key = keys.group(group);
    store.write([{ kind: 'put', key, value: { ...(store.get(key) as GroupRecord), isPaused: !delivers } }]);
    store.flush()?.catch(() => {});
  });
}
