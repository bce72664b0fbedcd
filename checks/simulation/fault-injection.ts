// Injects the faults of a plan into the running system.

import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import type { BrokerNode } from './broker-node.js';
import { pauseGroup } from './group-pauses.js';
import { FAULT_KINDS, type Fault } from './plan.js';
import type { SimulatedConnection } from './platform/network.js';
import type { System } from './system.js';

/** Injects a fault now. It ends by itself. */
export function inject(system: System, fault: Fault): void {
  const { simulation } = system;
  if (system.isLearning) {
    system.later(SECOND_MS, () => system.isActive() && inject(system, fault));
    return;
  }
  simulation.say(`fault: ${fault.kind} for ${fault.durationMs} ms`);
  system.count(fault.kind);
  const met = INJECTIONS[fault.kind](system, fault);
  if (FAULT_KINDS[fault.kind] === 'harmless' || met === 'nobody') return;
  const untilMs = simulation.nowMs + fault.durationMs;
  system.disturbances.push({ kind: fault.kind, fromMs: simulation.nowMs, untilMs, processes: met });
}

/** The names of the affected processes; undefined for all. */
type Met = readonly string[] | undefined | 'nobody';

const INJECTIONS: Readonly<Record<Fault['kind'], (system: System, fault: Fault) => Met>> = {
  'slow link': (system, fault) => {
    const { ways, process } = linkOf(system, fault);
    for (const link of ways) {
      link.latencyMs = 10 + fault.strength ** 3 * 3_000;
      system.later(fault.durationMs, () => {
        // Not the previous value, which may be that of another fault.
        link.latencyMs = system.network.usual.latencyMs;
      });
    }
    return process;
  },
  'lossy link': (system, fault) => {
    const { ways, process } = linkOf(system, fault);
    for (const link of ways) {
      link.loss = 0.02 + fault.strength * 0.4;
      system.later(fault.durationMs, () => {
        link.loss = 0;
      });
    }
    return process;
  },
  'link down': (system, fault) => {
    const { ways, process } = linkOf(system, fault);
    const both = fault.strength < 0.7 ? ways : ways.slice(0, 1);
    for (const link of both) link.downUntilMs = Math.max(link.downUntilMs, system.simulation.nowMs + fault.durationMs);
    return process;
  },
  'half-open connection': (system, fault) => {
    const connection = connectionOf(system, fault);
    if (connection === undefined) return 'nobody';
    connection.isVanished = true;
    return [connection.client.process.name];
  },
  'cut connection': (system, fault) => {
    const connection = connectionOf(system, fault);
    if (connection === undefined) return 'nobody';
    connection.cut();
    return [connection.client.process.name];
  },
  goaway: (system, fault) => {
    const sessions = system.sessions.filter(({ closed }) => !closed);
    if (sessions.length === 0) return 'nobody';
    const session = sessions[Math.floor(fault.pick * sessions.length)];
    if (session === undefined) return 'nobody';
    system.expectRenewal(session.client);
    system.simulation.at(system.simulation.nowMs, system.cluster.first.process, () => session.close());
    return 'nobody';
  },
  'refused streams': (system, fault) => {
    const { simulation } = system;
    const durationMs = Math.min(fault.durationMs, 2 * SECOND_MS);
    system.streamRefusal = fault.strength;
    system.later(durationMs, () => {
      system.streamRefusal = 0;
    });
    const untilMs = simulation.nowMs + durationMs;
    // With a second address, a client may switch.
    if (system.cluster.addresses.length > 1)
      for (const { process } of system.instances.running) system.expectRenewal(process.name);
    system.disturbances.push({
      kind: fault.kind,
      fromMs: simulation.nowMs,
      untilMs,
      processes: undefined,
      only: 'not sent',
    });
    return 'nobody';
  },
  'lost answers': (system, fault) => {
    system.answerLoss = fault.strength * 0.5;
    system.later(fault.durationMs, () => {
      system.answerLoss = 0;
    });
    return undefined;
  },
  'paused process': (system, fault) => {
    const { process, isBroker } = processOf(system, fault);
    process.pausedUntilMs = Math.max(process.pausedUntilMs, system.simulation.nowMs + fault.durationMs);
    return isBroker ? undefined : [process.name];
  },
  'slow disk': (system, fault) => {
    const { disk } = nodeOf(system, fault);
    disk.slowMs = 20 + fault.strength ** 2 * 4_000;
    system.later(fault.durationMs, () => {
      disk.slowMs = 1;
    });
    return undefined;
  },
  'broker restart': (system, fault) => {
    void nodeOf(system, fault).restart(fault.durationMs / 4);
    return undefined;
  },
  'broker crash': (system, fault) => {
    if (fault.strength < 0.3) for (const connection of system.network.connections) connection.isVanished = true;
    system.crashBroker(nodeOf(system, fault), fault.durationMs / 4);
    return undefined;
  },
  'lost registration': (system, fault) => {
    system.cluster.forgetRegistration(Math.floor(fault.pick * system.cluster.nodes.length), fault.durationMs);
    return 'nobody';
  },
  'client crash': (system, fault) => {
    const service = serviceOf(system, fault);
    if (service === undefined) return 'nobody';
    // At one of its next effects, of which there can be a few thousand.
    service.process.effectsLeft = Math.floor(fault.strength ** 2 * 400);
    system.instances.watchOver(service);
    return undefined;
  },
  'rolling deploy': (system, fault) => {
    void system.instances.deploy(fault.durationMs);
    return 'nobody';
  },
  'clock step': (system, fault) => {
    const { process, isBroker } = processOf(system, fault);
    const stepMs = (fault.strength - 0.3) * 3 * MINUTE_MS;
    // The broker's wall clock decides what is due, as on a real server, so only clients must be independent of theirs.
    if (isBroker) return 'nobody';
    process.wallOffsetMs = stepMs;
    system.disturbances.push({
      kind: fault.kind,
      fromMs: system.simulation.nowMs,
      untilMs: Number.POSITIVE_INFINITY,
      processes: undefined,
      only: 'fenced',
    });
    return 'nobody';
  },
  'paused group': (system, fault) => {
    pauseGroup(system, fault);
    return 'nobody';
  },
  'hostile settings': (system, fault) => {
    system.hostility = fault;
    return 'nobody';
  },
};

function nodeOf(system: System, { pick }: Fault): BrokerNode {
  return system.cluster.nodes[Math.floor(pick * system.cluster.nodes.length)] ?? system.cluster.first;
}

/** The process of a broker or of a service. */
function processOf(system: System, { pick }: Fault) {
  const brokers = system.cluster.nodes.map(({ process }) => ({ process, isBroker: true }));
  const all = [...brokers, ...system.instances.running.map(({ process }) => ({ process, isBroker: false }))];
  return all[Math.floor(pick * all.length)] ?? { process: system.cluster.first.process, isBroker: true };
}

function linkOf(system: System, { pick }: Fault) {
  const services = system.instances.running.filter(({ process }) => !process.isDead);
  const service = services[Math.floor(pick * services.length)];
  const address = system.cluster.addresses[Math.floor(pick * 997) % system.cluster.addresses.length] ?? '';
  const host = service?.process.host ?? '';
  const ways = [`${host}>${address}`, `${address}>${host}`].map((way) => system.network.link(way));
  return { ways, process: service === undefined ? undefined : [service.process.name] };
}

function connectionOf(system: System, { pick }: Fault): SimulatedConnection | undefined {
  const open = [...system.network.connections].filter(({ isOpen, isVanished }) => isOpen && !isVanished);
  return open[Math.floor(pick * open.length)];
}

function serviceOf(system: System, { pick }: Fault) {
  const services = system.instances.running.filter(({ process, isClosed }) => !process.isDead && !isClosed);
  return services[Math.floor(pick * services.length)];
}
