// The brokers of the simulated system, and what the name server knows of them.

import { SECOND_MS } from 'nestjs-rocketmq';
import { BROKER_NAME } from '../../libs/rocketmq/src/broker/engine/server-names.js';
import { deadLettersOf, openHalfMessages } from '../../libs/rocketmq/src/testing/test-messages.js';
import { BrokerNode, type SidePort } from './broker-node.js';
import { brokerPortOf } from './broker-port.js';
import type { Disturbance, Facts } from './facts.js';
import { NEST_TOPICS } from './nest-application.js';
import { NEST_GROUPS } from './nest-checkers.js';
import type { Plan } from './plan.js';
import { Chance } from './platform/chance.js';
import type { Simulation } from './platform/simulation.js';
import { type ClusterView, RemotingBroker } from './remoting-broker.js';
import { FOREIGN, GROUPS, MAX_ATTEMPTS, ORDERED_QUEUES, OTHER_BROKER, TOPICS } from './worker.js';

const BROKER_HOST = '10.0.0.1';
const OTHER_HOST = '10.0.0.2';
const PORTS = [8081, 8082];
const BROKER_PORT = 10_911;
const NAME_SERVER_PORT = 9876;
/** The numbers of 5.5.0, which hands out messages by POP, and of 4.9.7, which is pulled from. */
const [POPPED, PULLED] = [513, 407];
/** Brokers register this often. */
const REGISTRATION_MS = 30 * SECOND_MS;
export const ATTEMPTS_OF_SERVER = 17;
/** Where clients that need no proxy find the first broker. */
export const NAME_SERVER = `${BROKER_HOST}:${BROKER_PORT}`;

interface ClusterOptions {
  readonly simulation: Simulation;
  readonly plan: Plan;
  readonly disturbances: Disturbance[];
  /** The probability that an answer is lost after the work. */
  answerLoss(): number;
}

export class Cluster {
  readonly addresses: readonly string[];
  /** The brokers; the first one is the name server, too. */
  readonly nodes: readonly BrokerNode[];

  constructor(private readonly options: ClusterOptions) {
    const { plan } = options;
    const hosts = plan.otherBroker === 'none' ? [BROKER_HOST] : [BROKER_HOST, OTHER_HOST];
    this.addresses = plan.withoutProxy
      ? hosts.map((host) => `${host}:${BROKER_PORT}`)
      : PORTS.slice(0, plan.hasTwoAddresses ? 2 : 1).map((port) => `${BROKER_HOST}:${port}`);
    this.nodes = hosts.map((host) => this.makeNode(host));
  }

  get endpoints(): string {
    return this.options.plan.withoutProxy ? `name-server:${BROKER_HOST}:${NAME_SERVER_PORT}` : this.addresses.join(';');
  }

  get first(): BrokerNode {
    return this.nodes[0] as BrokerNode;
  }

  /** Dead letters and half messages, by their keys. */
  left(): Pick<Facts, 'dead' | 'halves'> {
    // What keeps the others from serving is reported.
    const stores = this.nodes.filter(({ isServing }) => isServing).map(({ broker }) => broker.inside.store);
    const groups = [...Object.values(GROUPS), ...Object.values(NEST_GROUPS)];
    const dead = stores.flatMap((store) =>
      groups.flatMap((group) => deadLettersOf(store, group).map(({ keys: [key = ''] }) => ({ key, group }))),
    );
    const halves = stores.flatMap((store) => openHalfMessages(store).map(({ keys: [key = ''] }) => key));
    return { dead, halves };
  }

  private makeNode(host: string): BrokerNode {
    const { plan, simulation } = this.options;
    const isOther = host === OTHER_HOST;
    const [port = 0, ...morePorts] = PORTS.slice(0, plan.hasTwoAddresses && !plan.withoutProxy ? 2 : 1);
    const groups = this.groups(isOther && plan.otherBroker === 'other settings');
    return new BrokerNode({
      simulation,
      name: isOther ? OTHER_BROKER : BROKER_NAME,
      host,
      broker: { port, morePorts, flush: plan.flush, topics: this.topics(), groups },
      serve: (node, starting) => this.serveRemoting(node, host, starting),
      ...(isOther ? {} : { onBoot: () => this.forgetRegistrations() }),
    });
  }

  /** For the groups of Nest applications, and for all clients where there is no proxy. */
  private async serveRemoting(node: BrokerNode, host: string, starting: Promise<void>): Promise<SidePort | undefined> {
    const { plan, answerLoss } = this.options;
    if (plan.withoutProxy) {
      await starting;
      const chance = new Chance(plan.seed ^ 0x510e527f);
      const losesAnswer = (): boolean => answerLoss() > 0 && chance.is(answerLoss());
      const ports = [NAME_SERVER_PORT, BROKER_PORT] as const;
      const cluster = host === BROKER_HOST && plan.otherBroker !== 'none' ? this.cluster() : undefined;
      const remoting = new RemotingBroker(node.broker, {
        name: node.name,
        host,
        ports,
        release: plan.pulls ? PULLED : POPPED,
        losesAnswer,
        cluster,
      });
      await remoting.listen();
      return remoting;
    }
    if (!plan.parts.nest) return undefined;
    const admin = brokerPortOf(node.broker, NAME_SERVER);
    await admin.listen(BROKER_HOST, BROKER_PORT);
    return admin;
  }

  /** What the name server knows. */
  private cluster(): ClusterView {
    const { nodes } = this;
    const { plan } = this.options;
    const layout = nodes.map(({ name }) => `${name}:${ORDERED_QUEUES}`).join(';');
    return {
      other: {
        name: OTHER_BROKER,
        address: `${OTHER_HOST}:${BROKER_PORT}`,
        isReadOnly: plan.otherBroker === 'other settings',
      },
      isRegistered: (name) => nodes.some((node) => node.name === name && node.isRegistered),
      orderOf: (topic) => (plan.layout === 'configured' && topic === TOPICS.ordered ? layout : undefined),
    };
  }

  /** A name server that has restarted does not know the other brokers before they register again. */
  private forgetRegistrations(): void {
    const { nodes } = this;
    const { simulation } = this.options;
    for (const node of nodes.slice(1)) {
      node.unregisteredUntilMs = simulation.nowMs + simulation.networkChance.between(0, REGISTRATION_MS);
    }
    this.noteUnregistered(REGISTRATION_MS);
  }

  /** The name server forgets a broker until its next registration. @returns false if there is no other one */
  forgetRegistration(index: number, durationMs: number): boolean {
    const { nodes } = this;
    const { simulation } = this.options;
    const node = nodes[index];
    // With no broker, there is no route.
    if (node === undefined || nodes.length === 1 || !nodes.every(({ isRegistered }) => isRegistered)) return false;
    const forMs = Math.min(durationMs, REGISTRATION_MS);
    node.unregisteredUntilMs = simulation.nowMs + forMs;
    this.noteUnregistered(forMs);
    return true;
  }

  private noteUnregistered(forMs: number): void {
    const { nowMs } = this.options.simulation;
    this.options.disturbances.push({
      kind: 'lost registration',
      fromMs: nowMs,
      untilMs: nowMs + forMs,
      processes: undefined,
      only: 'not sent',
    });
  }

  private groups(isOther = false) {
    const names = [...Object.values(GROUPS), ...Object.values(NEST_GROUPS), FOREIGN.group, FOREIGN.keepers];
    return names.map((name) => ({
      name,
      fifo: name === GROUPS.ordered && !isOther,
      maxDeliveryAttempts: isOther ? ATTEMPTS_OF_SERVER : (this.limited[name] ?? ATTEMPTS_OF_SERVER),
    }));
  }

  /** The deliveries of groups whose listeners leave the limit to the server. */
  get limited(): Readonly<Record<string, number>> {
    return this.options.plan.otherBroker === 'other settings' ? { [GROUPS.normal]: MAX_ATTEMPTS } : {};
  }

  private topics() {
    return [
      { name: TOPICS.normal, type: 'normal' as const, queues: 4 },
      { name: TOPICS.ordered, type: 'fifo' as const, queues: ORDERED_QUEUES },
      { name: TOPICS.simple, type: 'normal' as const, queues: 2 },
      { name: TOPICS.transaction, type: 'transaction' as const, queues: 2 },
      ...[FOREIGN.topic, FOREIGN.graves].map((name) => ({ name, type: 'normal' as const, queues: 2 })),
      ...Object.values(NEST_TOPICS).map((name) => ({ name, type: 'normal' as const, queues: 2 })),
    ];
  }
}
