// The simulated system: a broker and its services, run by a plan.

import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import { BROKER_NAME } from '../../libs/rocketmq/src/broker/engine/server-names.js';
import { deadLettersOf, openHalfMessages } from '../../libs/rocketmq/src/testing/test-messages.js';
import { BrokerNode, type SidePort } from './broker-node.js';
import { brokerPortOf } from './broker-port.js';
import { disagreements, lost } from './checkers.js';
import type {
  CloseFact,
  ConnectionFact,
  DeadFact,
  Disturbance,
  Facts,
  HandlingFact,
  PauseFact,
  SendFact,
  StartFact,
  TransactionFact,
} from './facts.js';
import { storeForeign } from './foreign-client.js';
import { withHostileSettings } from './hostile-settings.js';
import { NEST_TOPICS } from './nest-application.js';
import { NEST_GROUPS } from './nest-checkers.js';
import type { DecisionFact, NestFacts, RequestFact } from './nest-facts.js';
import { NestService, type NestWorld } from './nest-service.js';
import { FAULT_KINDS, type Fault, type FaultKind, type Plan } from './plan.js';
import { Chance } from './platform/chance.js';
import { SimulatedDatabase } from './platform/database.js';
import type { BrokerSession } from './platform/http2.js';
import type { Machine } from './platform/machine.js';
import type { Network } from './platform/network.js';
import type { SimulatedProcess, Simulation } from './platform/simulation.js';
import { type ClusterView, RemotingBroker } from './remoting-broker.js';
import { CLOSE_GRACE_MS, Service } from './service.js';
import { UnpackedBodies } from './unpacked-bodies.js';
import { FOREIGN, GROUPS, MAX_ATTEMPTS, ORDERED_QUEUES, OTHER_BROKER, TOPICS, type Worker } from './worker.js';

const BROKER_HOST = '10.0.0.1';
const OTHER_HOST = '10.0.0.2';
const PORTS = [8081, 8082];
const BROKER_PORT = 10_911;
const NAME_SERVER_PORT = 9876;
/** The numbers of 5.5.0, which hands out messages by POP, and of 4.9.7, which is pulled from. */
const [POPPED, PULLED] = [513, 407];
/** The delay after which a dead service is restarted. */
const RESTART_MS = 3 * SECOND_MS;
/** How long after its start a member may take its queues. */
const DIVIDED_MS = 3 * SECOND_MS;
/** Brokers register this often. */
const REGISTRATION_MS = 30 * SECOND_MS;
/** The time after a close in which everything ends: a connection drains for up to a minute. */
const AFTER_CLOSE_MS = 90 * SECOND_MS;
/** How far the disk may be behind a broker that does not wait for it, including a slow commit. */
const MAX_BEHIND_MS = 8 * SECOND_MS;
const ATTEMPTS_OF_SERVER = 17;
/** The time in which a restarted broker is available and earlier calls have ended. */
const SETTLE_STEP_MS = 5 * MINUTE_MS;
/** The approximate number of polls of one process. */
const POLLS_AT_ONCE = 16;
const CLOSE_LIMIT_MS = CLOSE_GRACE_MS + 2 * MINUTE_MS;

export class System implements NestWorld {
  readonly simulation: Simulation;
  readonly network: Network;
  readonly database: SimulatedDatabase;
  readonly sends: SendFact[] = [];
  readonly handlings: HandlingFact[] = [];
  readonly transactions: TransactionFact[] = [];
  readonly decisions: DecisionFact[] = [];
  readonly requests: RequestFact[] = [];
  readonly answers: HandlingFact[] = [];
  readonly disturbances: Disturbance[] = [];
  readonly closes: CloseFact[] = [];
  readonly announced: DeadFact[] = [];
  readonly connections: ConnectionFact[] = [];
  readonly pauses: PauseFact[] = [];
  private readonly failedStarts: StartFact[] = [];
  private readonly renewals: ConnectionFact[] = [];
  readonly services: Worker[] = [];
  /** The broker's open HTTP/2 sessions. */
  sessions: BrokerSession[] = [];
  /** The probability that the broker refuses a stream. */
  refusal = 0;
  /** The probability that an answer is lost after the work. */
  answerLoss = 0;
  hostility: Fault | undefined;
  readonly injected = new Map<FaultKind, number>();
  readonly addresses: readonly string[];
  readonly nameServer = `${BROKER_HOST}:${BROKER_PORT}`;
  /** The brokers; the first one is the name server, too. */
  readonly nodes: readonly BrokerNode[];
  private isWorking = true;
  private keys = 0;
  private instances = 0;
  private readonly releases: { fromMs: number; untilMs: number }[] = [];
  private readonly forgotten: { fromMs: number; untilMs: number }[] = [];
  private readonly leaks: string[] = [];
  private readonly hanging: string[] = [];
  private readonly unpacked: UnpackedBodies;
  private isEnding = false;

  constructor(
    machine: Machine,
    readonly plan: Plan,
  ) {
    const { simulation, network } = machine;
    this.simulation = simulation;
    this.unpacked = new UnpackedBodies(simulation);
    this.network = network;
    this.database = new SimulatedDatabase(simulation);
    network.usual = { latencyMs: plan.latencyMs, jitterMs: plan.latencyMs / 4, loss: 0, downUntilMs: 0 };
    network.connecting = ({ name }, address) => {
      if (address !== this.nameServer && !plan.withoutProxy)
        this.connections.push({ process: name, atMs: simulation.nowMs });
    };
    machine.idsRunOut = () => this.expectRenewal(simulation.current?.name ?? '');
    const chance = new Chance(plan.seed ^ 0x3c6ef372);
    machine.idStep = plan.idStep;
    machine.sessionOpened = (session) => {
      this.sessions = [...this.sessions.filter(({ destroyed }) => !destroyed), session];
    };
    machine.refusesStream = () => this.refusal > 0 && chance.is(this.refusal);
    machine.losesAnswer = () => this.answerLoss > 0 && chance.is(this.answerLoss);
    machine.altersTelemetry = (message) =>
      this.hostility === undefined ? message : withHostileSettings(message, this.hostility);
    machine.unpacked = this.unpacked.add;
    const hosts = plan.otherBroker === 'none' ? [BROKER_HOST] : [BROKER_HOST, OTHER_HOST];
    this.addresses = plan.withoutProxy
      ? hosts.map((host) => `${host}:${BROKER_PORT}`)
      : PORTS.slice(0, plan.hasTwoAddresses ? 2 : 1).map((port) => `${BROKER_HOST}:${port}`);
    this.nodes = hosts.map((host) => this.makeNode(host));
  }

  get endpoints(): string {
    return this.plan.withoutProxy ? `name-server:${BROKER_HOST}:${NAME_SERVER_PORT}` : this.addresses.join(';');
  }

  get first(): BrokerNode {
    return this.nodes[0] as BrokerNode;
  }

  isActive(): boolean {
    return this.isWorking;
  }

  nextKey(): string {
    return `m${this.keys++}`;
  }

  storeForeign(): void {
    const { simulation, first } = this;
    const { broker, process } = first;
    const key = this.nextKey();
    simulation.at(simulation.nowMs, process, () => {
      if (!first.isUp || broker !== first.broker) return;
      const atMs = simulation.nowMs;
      const kept = simulation.as(process, () => storeForeign(broker, key));
      void kept.then(
        () => {
          const fact = { key, topic: FOREIGN.topic, process: 'another client', atMs, timeoutMs: MINUTE_MS } as const;
          this.sends.push({ ...fact, endMs: simulation.nowMs, outcome: 'acknowledged' });
        },
        () => {},
      );
    });
  }

  released(bytes: number): void {
    this.unpacked.release(bytes);
  }

  /** Records that a client has a reason for another connection. */
  expectRenewal(process: string): void {
    this.renewals.push({ process, atMs: this.simulation.nowMs });
  }

  count(kind: FaultKind): void {
    this.injected.set(kind, (this.injected.get(kind) ?? 0) + 1);
  }

  later(delayMs: number, work: () => void): void {
    const { simulation } = this;
    simulation.at(simulation.nowMs + delayMs, undefined, work);
  }

  /** Runs the plan from start to end. @returns the facts for the checkers */
  async run(inject: (system: System, fault: Fault) => void): Promise<Facts & NestFacts> {
    const { simulation, plan } = this;
    for (const node of this.nodes) node.start();
    for (let count = 0; count < plan.instances; count++) this.later(count * 100, () => this.startService());
    for (const fault of plan.faults) simulation.at(fault.atMs, undefined, () => inject(this, fault));
    await simulation.run(plan.activeMs);
    this.calm();
    await this.settle();
    const calmFacts = this.stateOfBroker();
    await simulation.run(simulation.nowMs + plan.idleMs);
    await this.closeAll();
    return this.facts(calmFacts);
  }

  /** Waits until everything is done or the time is over; longer if more was sent than could be handled. */
  private async settle(): Promise<void> {
    const { simulation, plan, nodes } = this;
    // A broker that restarts may take its time to stop.
    const servesByMs = simulation.nowMs + MINUTE_MS;
    while (!nodes.every(({ isServing }) => isServing) && simulation.nowMs < servesByMs) {
      await simulation.run(simulation.nowMs + SETTLE_STEP_MS);
    }
    const open = (): number => {
      const facts = this.facts(this.stateOfBroker());
      return lost(facts).length + disagreements(facts).length;
    };
    const untilMs = simulation.nowMs + plan.settleMs + open() * plan.longestHandlerMs;
    do {
      await simulation.run(Math.min(untilMs, simulation.nowMs + SETTLE_STEP_MS));
    } while (simulation.nowMs < untilMs && open() > 0);
  }

  private makeNode(host: string): BrokerNode {
    const { plan, simulation } = this;
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
    const { plan } = this;
    if (plan.withoutProxy) {
      await starting;
      const chance = new Chance(plan.seed ^ 0x510e527f);
      const losesAnswer = (): boolean => this.answerLoss > 0 && chance.is(this.answerLoss);
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
    const admin = brokerPortOf(node.broker, this.nameServer);
    await admin.listen(BROKER_HOST, BROKER_PORT);
    return admin;
  }

  /** What the name server knows. */
  private cluster(): ClusterView {
    const { plan, nodes } = this;
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
    const { simulation, nodes } = this;
    for (const node of nodes.slice(1)) {
      node.unregisteredUntilMs = simulation.nowMs + simulation.networkChance.between(0, REGISTRATION_MS);
    }
    this.noteUnregistered(REGISTRATION_MS);
  }

  /** The name server forgets a broker until its next registration. @returns false if there is no other one */
  forgetRegistration(index: number, durationMs: number): boolean {
    const { simulation, nodes } = this;
    const node = nodes[index];
    // With no broker, there is no route.
    if (node === undefined || nodes.length === 1 || !nodes.every(({ isRegistered }) => isRegistered)) return false;
    const forMs = Math.min(durationMs, REGISTRATION_MS);
    node.unregisteredUntilMs = simulation.nowMs + forMs;
    this.noteUnregistered(forMs);
    return true;
  }

  private noteUnregistered(forMs: number): void {
    const { nowMs } = this.simulation;
    this.disturbances.push({
      kind: 'lost registration',
      fromMs: nowMs,
      untilMs: nowMs + forMs,
      processes: undefined,
      only: 'not sent',
    });
  }

  /**
   * Whether a fault must wait: a process that learns the layout from routes has to see all brokers before one goes. See the guide about
   * missing brokers.
   */
  get isLearning(): boolean {
    const { plan, nodes, services } = this;
    return (
      nodes.length > 1 &&
      plan.layout === 'seen' &&
      services.some(({ isStarted, process }) => !isStarted && !process.isDead)
    );
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
  private get limited(): Readonly<Record<string, number>> {
    return this.plan.otherBroker === 'other settings' ? { [GROUPS.normal]: MAX_ATTEMPTS } : {};
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

  private startService(): void {
    if (this.isEnding) return;
    const { simulation, plan, nodes } = this;
    if (plan.layout === 'seen' && nodes.some(({ isRegistered }) => !isRegistered)) {
      this.later(SECOND_MS, () => this.startService());
      return;
    }
    const number = this.instances++;
    const process = simulation.process(`service-${number}`, `10.0.1.${number + 1}`);
    simulation.at(simulation.nowMs, process, () => {
      // Not earlier, because another fault can occur at the same moment.
      if (this.refusal > 0 && this.addresses.length > 1) this.expectRenewal(process.name);
      const service = plan.parts.nest ? new NestService(this, process) : new Service(this, process);
      this.services.push(service);
      const fromMs = simulation.nowMs;
      const divided = plan.pulls ? this.dividesAnew() : undefined;
      const started = service.start().then(() => {
        service.isStarted = true;
        divided?.();
      });
      started.catch((error) => {
        if (service.isClosing || process.isDead) return;
        simulation.say(`start failed: ${(error as Error).message}`);
        this.failedStarts.push({
          process: process.name,
          fromMs,
          atMs: simulation.nowMs,
          error: (error as Error).message,
        });
        this.watchOver(service);
        simulation.kill(process);
      });
    });
  }

  /** A member that comes takes queues from the others, and one that goes leaves them. @returns to be called when it has started or closed */
  private dividesAnew(): () => void {
    const { simulation, disturbances } = this;
    const fromMs = simulation.nowMs;
    const divided = {
      kind: 'members',
      fromMs,
      untilMs: Number.POSITIVE_INFINITY,
      processes: undefined,
      only: 'divided anew',
    } as const;
    const index = disturbances.push(divided) - 1;
    return () => {
      disturbances[index] = { ...divided, untilMs: simulation.nowMs + DIVIDED_MS };
    };
  }

  /** Starts a new one when it was killed. */
  watchOver(service: Worker): void {
    const { process } = service;
    process.onDeath.add(() => {
      const index = this.services.indexOf(service);
      // Two faults may have selected it.
      if (index < 0) return;
      this.services.splice(index, 1);
      this.disturbances.push({
        kind: 'client crash',
        fromMs: this.simulation.nowMs,
        untilMs: this.simulation.nowMs + RESTART_MS,
        processes: undefined,
      });
      this.simulation.at(this.simulation.nowMs + RESTART_MS, undefined, () => this.startService());
    });
  }

  /** A rolling restart: closes each service gracefully and replaces it. */
  async deploy(durationMs: number): Promise<void> {
    for (const service of this.services.filter(({ isClosed }) => !isClosed)) {
      if (service.process.isDead || service.isClosing || this.isEnding) continue;
      service.isClosing = true;
      this.later(Math.min(durationMs, SECOND_MS), () => this.startService());
      await this.closeService(service);
    }
  }

  private async closeService(service: Worker): Promise<void> {
    const { simulation } = this;
    const { process } = service;
    const startMs = simulation.nowMs;
    const release = { fromMs: startMs, untilMs: Number.POSITIVE_INFINITY };
    this.releases.push(release);
    const divided = this.plan.pulls ? this.dividesAnew() : undefined;
    service.isClosing = true;
    await new Promise<void>((resolve) => {
      process.onDeath.add(resolve);
      simulation.at(startMs, process, () => {
        service.close().then(resolve, (error) => {
          simulation.uncaught.push(`close of ${process.name}: ${(error as Error).stack}`);
          resolve();
        });
      });
      simulation.at(startMs + CLOSE_LIMIT_MS, undefined, () => {
        if (!service.isClosed && !process.isDead && process.pausedUntilMs <= startMs)
          this.hanging.push(`close of ${process.name}`);
        resolve();
      });
    });
    release.untilMs = simulation.nowMs;
    divided?.();
    const index = this.services.indexOf(service);
    if (index >= 0) this.services.splice(index, 1);
    this.later(AFTER_CLOSE_MS, () => this.assertGone(process));
  }

  private assertGone(process: SimulatedProcess): void {
    if (process.isDead) return;
    if (process.timers > 0) this.leaks.push(`${process.timers} timers of ${process.name}`);
    for (const connection of this.network.connections) {
      if (connection.client.process === process && !connection.client.isClosed)
        this.leaks.push(`a connection of ${process.name}`);
    }
    process.isDead = true;
  }

  crashBroker(node: BrokerNode, awayMs: number): void {
    const { nowMs } = this.simulation;
    if (node.crash(awayMs) && this.plan.flush === 'async')
      this.forgotten.push({ fromMs: nowMs - MAX_BEHIND_MS, untilMs: nowMs });
  }

  /** Faults and work end. */
  private calm(): void {
    this.isWorking = false;
    this.refusal = 0;
    this.answerLoss = 0;
    this.hostility = undefined;
    this.simulation.say('all is calm');
  }

  private async closeAll(): Promise<void> {
    const { simulation } = this;
    this.isEnding = true;
    const closing = [...this.services].map((service) => this.closeService(service));
    await simulation.run(simulation.nowMs + CLOSE_LIMIT_MS + AFTER_CLOSE_MS + SECOND_MS);
    await Promise.all(closing);
    const running = new Set(this.nodes);
    for (const node of this.nodes) node.stop(() => running.delete(node));
    await simulation.run(simulation.nowMs + MINUTE_MS);
    for (const { name } of running) this.hanging.push(`stop of broker ${name}`);
    for (const { name, process } of this.nodes)
      if (process.timers > 0) this.leaks.push(`${process.timers} timers of broker ${name}`);
    for (const { number, client, server, isVanished } of this.network.connections) {
      const ends = [client, server].map(({ process, isClosed }) => `${process.name} ${isClosed ? 'closed' : 'open'}`);
      this.leaks.push(`connection ${number} (${ends.join(', ')}${isVanished ? ', vanished' : ''})`);
    }
  }

  private stateOfBroker() {
    // What keeps the others from serving is reported.
    const stores = this.nodes.filter(({ isServing }) => isServing).map(({ broker }) => broker.inside.store);
    const groups = [...Object.values(GROUPS), ...Object.values(NEST_GROUPS)];
    const dead = stores.flatMap((store) =>
      groups.flatMap((group) => deadLettersOf(store, group).map(({ keys: [key = ''] }) => ({ key, group }))),
    );
    const halves = stores.flatMap((store) => openHalfMessages(store).map(({ keys: [key = ''] }) => key));
    return { dead, halves };
  }

  private facts(state: Pick<Facts, 'dead' | 'halves'>): Facts & NestFacts {
    const { plan, sends, handlings, transactions, disturbances, connections, closes, simulation } = this;
    // For one process with compressed bodies.
    const consumers = 1 + Number(plan.parts.ordered) + Number(plan.parts.nest || plan.parts.simple);
    const isHarmed = plan.faults.some(({ kind }) => FAULT_KINDS[kind] === 'harmful');
    return {
      sends,
      handlings,
      transactions,
      disturbances,
      connections,
      closes,
      failedStarts: this.failedStarts,
      pauses: this.pauses,
      ...state,
      decisions: this.decisions,
      requests: this.requests,
      answers: this.answers,
      releases: this.releases,
      pulls: plan.pulls,
      isTight: plan.maxBufferedBytes < POLLS_AT_ONCE * plan.bodyBytes,
      forgotten: this.forgotten,
      resolutions: this.database.rows,
      maxAttempts: MAX_ATTEMPTS,
      attemptsOfServer: ATTEMPTS_OF_SERVER,
      limited: this.limited,
      announced: this.announced,
      groupsOf: {
        [TOPICS.normal]: [GROUPS.normal],
        [TOPICS.ordered]: plan.parts.ordered ? [GROUPS.ordered] : [],
        [NEST_TOPICS.manual]: [NEST_GROUPS.manual],
        [TOPICS.simple]: plan.parts.simple ? [GROUPS.simple] : [],
        [FOREIGN.topic]: plan.parts.foreign ? [FOREIGN.keepers] : [],
      },
      renewals: this.renewals,
      leaks: this.leaks,
      uncaught: simulation.uncaught,
      mostUnpackedBytes: this.unpacked.mostBytes,
      // A message whose lease was lost is decompressed again when it is redelivered.
      bufferBound: isHarmed ? Number.POSITIVE_INFINITY : consumers * (plan.maxBufferedBytes + plan.bodyBytes),
      hanging: [...this.hanging, ...this.stillUnderWay()],
    };
  }

  private stillUnderWay(): string[] {
    const names = new Set(this.services.filter(({ process }) => !process.isDead).map(({ process }) => process.name));
    return this.sends
      .filter(({ outcome, process }) => outcome === 'under way' && names.has(process))
      .map(({ key }) => `the send of ${key}`);
  }
}
