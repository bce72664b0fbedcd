// The simulated system: a broker and its services, run by a plan.

import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import { EmbeddedBroker } from '../../libs/rocketmq/src/broker/embedded-broker.js';
import { deadLettersOf, openHalfMessages } from '../../libs/rocketmq/src/testing/test-messages.js';
import { adminPortOf } from './admin-port.js';
import { strike, withHostileSettings } from './blows.js';
import { disagreements, lost } from './checkers.js';
import type {
  CloseFact,
  ConnectionFact,
  DeadFact,
  Disturbance,
  Facts,
  HandlingFact,
  SendFact,
  TransactionFact,
} from './facts.js';
import { storeForeign } from './foreign-client.js';
import { NEST_TOPICS } from './nest-application.js';
import { NEST_GROUPS } from './nest-checkers.js';
import type { DecisionFact, NestFacts, RequestFact } from './nest-facts.js';
import { NestService, type NestWorld } from './nest-service.js';
import { FAULT_KINDS, type Fault, type FaultKind, type Plan } from './plan.js';
import { Chance } from './platform/chance.js';
import { SimulatedDatabase } from './platform/database.js';
import { SimulatedDisk } from './platform/disk.js';
import type { BrokerSession } from './platform/http2.js';
import type { Machine } from './platform/machine.js';
import type { Network } from './platform/network.js';
import type { SimulatedProcess, Simulation } from './platform/simulation.js';
import { RemotingBroker, RemotingPlaces } from './remoting-broker.js';
import { CLOSE_GRACE_MS, Service } from './service.js';
import { UnpackedBodies } from './unpacked-bodies.js';
import { FOREIGN, GROUPS, MAX_ATTEMPTS, TOPICS, type Worker } from './worker.js';

const BROKER_HOST = '10.0.0.1';
const OTHER_BROKER = { name: 'other', host: '10.0.0.2' };
const PORTS = [8081, 8082];
const ADMIN_PORT = 10_911;
const NAME_SERVER_PORT = 9876;
/** The delay after which a dead service is restarted. */
const RESTART_MS = 3 * SECOND_MS;
/** The time after a close in which everything ends: a connection drains for up to a minute. */
const AFTER_CLOSE_MS = 90 * SECOND_MS;
/** How far the disk may be behind a broker that does not wait for it, including a slow commit. */
const MOST_BEHIND_MS = 8 * SECOND_MS;
const ATTEMPTS_OF_SERVER = 17;
/** The time in which a restarted broker is available and earlier calls have ended. */
const SETTLE_STEP_MS = 5 * MINUTE_MS;
/** The approximate number of polls of one process. */
const POLLS_AT_ONCE = 16;
const CLOSE_LIMIT_MS = CLOSE_GRACE_MS + 2 * MINUTE_MS;

export class System implements NestWorld {
  readonly simulation: Simulation;
  readonly network: Network;
  readonly disk: SimulatedDisk;
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
  private readonly renewals: ConnectionFact[] = [];
  readonly services: Worker[] = [];
  /** The broker's open HTTP/2 sessions. */
  sessions: BrokerSession[] = [];
  /** The probability that the broker refuses a stream. */
  refusal = 0;
  /** The probability that an answer is lost after the work. */
  answerLoss = 0;
  hostility: Fault | undefined;
  readonly struck = new Map<FaultKind, number>();
  readonly addresses: readonly string[];
  readonly nameServer = `${BROKER_HOST}:${ADMIN_PORT}`;
  brokerProcess: SimulatedProcess;
  private broker: EmbeddedBroker;
  private otherBroker: { readonly process: SimulatedProcess; stop(): Promise<void> } | undefined;
  /** Serves the remoting protocol: for the groups of Nest applications, and for all clients where there is no proxy. */
  private remoting: { stop(): void } | undefined;
  private readonly places = new RemotingPlaces();
  private isWorking = true;
  private keys = 0;
  private instances = 0;
  private readonly releases: { fromMs: number; untilMs: number }[] = [];
  private readonly forgotten: { fromMs: number; untilMs: number }[] = [];
  private readonly leaks: string[] = [];
  private readonly hanging: string[] = [];
  private readonly unpacked: UnpackedBodies;
  private isBrokerUp = false;
  private isEnding = false;

  constructor(
    machine: Machine,
    readonly plan: Plan,
  ) {
    const { simulation, network } = machine;
    this.simulation = simulation;
    this.unpacked = new UnpackedBodies(simulation);
    this.network = network;
    this.disk = new SimulatedDisk(simulation);
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
    const ports = plan.withoutProxy ? [ADMIN_PORT] : PORTS.slice(0, plan.hasTwoAddresses ? 2 : 1);
    this.addresses = ports.map((port) => `${BROKER_HOST}:${port}`);
    this.brokerProcess = simulation.process('broker', BROKER_HOST);
    this.broker = this.makeBroker();
  }

  get endpoints(): string {
    return this.plan.withoutProxy ? `name-server:${BROKER_HOST}:${NAME_SERVER_PORT}` : this.addresses.join(';');
  }

  isActive(): boolean {
    return this.isWorking;
  }

  nextKey(): string {
    return `m${this.keys++}`;
  }

  storeForeign(): void {
    const { simulation, broker, brokerProcess } = this;
    const key = this.nextKey();
    simulation.at(simulation.nowMs, brokerProcess, () => {
      if (!this.isBrokerUp || broker !== this.broker) return;
      const atMs = simulation.nowMs;
      const kept = simulation.as(brokerProcess, () => storeForeign(broker, key));
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
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
  }

  later(delayMs: number, work: () => void): void {
    const { simulation } = this;
    simulation.at(simulation.nowMs + delayMs, undefined, work);
  }

  /** Runs the plan from start to end. @returns the facts for the checkers */
  async run(): Promise<Facts & NestFacts> {
    const { simulation, plan } = this;
    this.startBroker();
    if (plan.hasOtherBroker) this.startOtherBroker();
    for (let count = 0; count < plan.instances; count++) this.later(count * 100, () => this.startService());
    for (const fault of plan.faults) simulation.at(fault.atMs, undefined, () => strike(this, fault));
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
    const { simulation, plan } = this;
    const open = (): number => {
      const facts = this.facts(this.stateOfBroker());
      return lost(facts).length + disagreements(facts).length;
    };
    const untilMs = simulation.nowMs + plan.settleMs + open() * plan.longestHandlerMs;
    do {
      await simulation.run(Math.min(untilMs, simulation.nowMs + SETTLE_STEP_MS));
    } while (simulation.nowMs < untilMs && open() > 0);
  }

  private startBroker(): void {
    const { simulation, brokerProcess } = this;
    simulation.at(simulation.nowMs, brokerProcess, () => {
      this.isBrokerUp = true;
      const starting = this.broker.start({ timeoutMs: MINUTE_MS });
      Promise.all([starting, this.startRemoting(starting)]).catch((error) => {
        simulation.uncaught.push(`start of the broker: ${error}`);
      });
    });
  }

  private async startRemoting(starting: Promise<void>): Promise<void> {
    const { broker, plan } = this;
    this.remoting = undefined;
    if (plan.withoutProxy) {
      await starting;
      const chance = new Chance(plan.seed ^ 0x510e527f);
      const losesAnswer = (): boolean => this.answerLoss > 0 && chance.is(this.answerLoss);
      const ports = [NAME_SERVER_PORT, ADMIN_PORT] as const;
      const other = plan.hasOtherBroker
        ? { name: OTHER_BROKER.name, address: `${OTHER_BROKER.host}:${ADMIN_PORT}` }
        : undefined;
      const remoting = new RemotingBroker(broker, this.places, { host: BROKER_HOST, ports, losesAnswer, other });
      this.remoting = remoting;
      await remoting.listen();
    } else if (plan.parts.nest) {
      const admin = adminPortOf(broker, this.nameServer);
      this.remoting = admin;
      await admin.listen(BROKER_HOST, ADMIN_PORT);
    }
  }

  /** One that never fails. What differs at the first broker would harm its messages if it were taken for that of the other. */
  private startOtherBroker(): void {
    const { simulation } = this;
    const { name, host } = OTHER_BROKER;
    const process = simulation.process(name, host);
    const groups = this.groups(true);
    simulation.at(simulation.nowMs, process, () => {
      const broker = new EmbeddedBroker({ host, port: PORTS[0], strict: true, topics: this.topics(), groups });
      const ports = [NAME_SERVER_PORT, ADMIN_PORT] as const;
      broker
        .start({ timeoutMs: MINUTE_MS })
        .then(async () => {
          const remoting = new RemotingBroker(broker, new RemotingPlaces(), { host, ports, losesAnswer: () => false });
          await remoting.listen();
          const stop = (): Promise<void> => {
            remoting.stop();
            return broker.stop();
          };
          this.otherBroker = { process, stop };
        })
        .catch((error) => simulation.uncaught.push(`start of the other broker: ${error}`));
    });
  }

  private makeBroker(): EmbeddedBroker {
    const { plan, simulation, disk } = this;
    const [port = 0, ...morePorts] = PORTS.slice(0, this.addresses.length);
    const topics = this.topics();
    const groups = this.groups();
    return simulation.as(this.brokerProcess, () => {
      return new EmbeddedBroker(
        { host: BROKER_HOST, port, morePorts, data: 'broker', flush: plan.flush, strict: true, topics, groups },
        { openFile: disk.open },
      );
    });
  }

  private groups(isOther = false) {
    return [...Object.values(GROUPS), ...Object.values(NEST_GROUPS)].map((name) => ({
      name,
      fifo: name === GROUPS.ordered && !isOther,
      maxDeliveryAttempts: isOther ? ATTEMPTS_OF_SERVER : (this.limited[name] ?? ATTEMPTS_OF_SERVER),
    }));
  }

  /** The deliveries of groups whose listeners leave the limit to the server. */
  private get limited(): Readonly<Record<string, number>> {
    return this.plan.hasOtherBroker ? { [GROUPS.normal]: MAX_ATTEMPTS } : {};
  }

  private topics() {
    return [
      { name: TOPICS.normal, type: 'normal' as const, queues: 4 },
      { name: TOPICS.ordered, type: 'fifo' as const, queues: 4 },
      { name: TOPICS.simple, type: 'normal' as const, queues: 2 },
      { name: TOPICS.transaction, type: 'transaction' as const, queues: 2 },
      ...[FOREIGN.topic, FOREIGN.graves].map((name) => ({ name, type: 'normal' as const, queues: 2 })),
      ...Object.values(NEST_TOPICS).map((name) => ({ name, type: 'normal' as const, queues: 2 })),
    ];
  }

  private startService(): void {
    if (this.isEnding) return;
    const { simulation } = this;
    const number = this.instances++;
    const process = simulation.process(`service-${number}`, `10.0.1.${number + 1}`);
    simulation.at(simulation.nowMs, process, () => {
      // Not earlier, because another fault can occur at the same moment.
      if (this.refusal > 0 && this.addresses.length > 1) this.expectRenewal(process.name);
      const service = this.plan.parts.nest ? new NestService(this, process) : new Service(this, process);
      this.services.push(service);
      service.start().catch((error) => {
        if (service.isClosing || process.isDead) return;
        simulation.say(`start failed: ${(error as Error).message}`);
        this.watchOver(service);
        simulation.kill(process);
      });
    });
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

  async restartBroker(awayMs: number): Promise<void> {
    if (!this.isBrokerUp) return;
    this.isBrokerUp = false;
    const { simulation, broker, brokerProcess, remoting } = this;
    await new Promise<void>((resolve) => {
      simulation.at(simulation.nowMs, brokerProcess, () => {
        remoting?.stop();
        void broker.stop().then(resolve);
      });
      brokerProcess.onDeath.add(resolve);
    });
    if (!brokerProcess.isDead) simulation.kill(brokerProcess);
    this.later(awayMs, () => this.bootBroker());
  }

  crashBroker(awayMs: number): void {
    if (!this.isBrokerUp) return;
    this.isBrokerUp = false;
    const { nowMs } = this.simulation;
    if (this.plan.flush === 'async') this.forgotten.push({ fromMs: nowMs - MOST_BEHIND_MS, untilMs: nowMs });
    this.simulation.kill(this.brokerProcess);
    this.later(awayMs, () => this.bootBroker());
  }

  private bootBroker(): void {
    this.brokerProcess = this.simulation.process('broker', BROKER_HOST);
    this.broker = this.makeBroker();
    this.startBroker();
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
    const { broker, brokerProcess, remoting } = this;
    let isStopped = false;
    simulation.at(simulation.nowMs, brokerProcess, () => {
      remoting?.stop();
      void broker.stop().then(() => {
        isStopped = true;
      });
    });
    const { otherBroker } = this;
    if (otherBroker !== undefined) simulation.at(simulation.nowMs, otherBroker.process, () => void otherBroker.stop());
    await simulation.run(simulation.nowMs + MINUTE_MS);
    if (!isStopped) this.hanging.push('stop of the broker');
    if (brokerProcess.timers > 0) this.leaks.push(`${brokerProcess.timers} timers of the broker`);
    for (const { number, client, server, isVanished } of this.network.connections) {
      const ends = [client, server].map(({ process, isClosed }) => `${process.name} ${isClosed ? 'closed' : 'open'}`);
      this.leaks.push(`connection ${number} (${ends.join(', ')}${isVanished ? ', vanished' : ''})`);
    }
  }

  private stateOfBroker() {
    const { store } = this.broker.inside;
    const dead = [...Object.values(GROUPS), ...Object.values(NEST_GROUPS)].flatMap((group) => {
      return deadLettersOf(store, group).map(({ keys: [key = ''] }) => ({ key, group }));
    });
    const halves = openHalfMessages(store).map(({ keys: [key = ''] }) => key);
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
      ...state,
      decisions: this.decisions,
      requests: this.requests,
      answers: this.answers,
      releases: this.releases,
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
