// The simulated system: a broker and its services, run by a plan.

import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import type { BrokerNode } from './broker-node.js';
import { disagreements, lost } from './checkers.js';
import { ATTEMPTS_OF_SERVER, Cluster, NAME_SERVER } from './cluster.js';
import type {
  CloseFact,
  ConnectionFact,
  DeadFact,
  Disturbance,
  Facts,
  HandlingFact,
  PauseFact,
  SendFact,
  TransactionFact,
} from './facts.js';
import { storeForeign } from './foreign-client.js';
import { withHostileSettings } from './hostile-settings.js';
import { Instances } from './instances.js';
import { NEST_TOPICS } from './nest-application.js';
import { NEST_GROUPS } from './nest-checkers.js';
import type { DecisionFact, NestFacts, RequestFact } from './nest-facts.js';
import type { NestWorld } from './nest-service.js';
import { FAULT_KINDS, type Fault, type FaultKind, type Plan } from './plan.js';
import { Chance } from './platform/chance.js';
import { SimulatedDatabase } from './platform/database.js';
import type { BrokerSession } from './platform/http2.js';
import type { Machine } from './platform/machine.js';
import type { Network } from './platform/network.js';
import type { Simulation } from './platform/simulation.js';
import { UnpackedBodies } from './unpacked-bodies.js';
import { FOREIGN, GROUPS, MAX_ATTEMPTS, TOPICS } from './worker.js';

/** How far the disk may be behind a broker that does not wait for it, including a slow commit. */
const MAX_BEHIND_MS = 8 * SECOND_MS;
/** The time in which a restarted broker is available and earlier calls have ended. */
const SETTLE_STEP_MS = 5 * MINUTE_MS;
/** The approximate number of polls of one process. */
const POLLS_AT_ONCE = 16;

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
  private readonly renewals: ConnectionFact[] = [];
  /** The broker's open HTTP/2 sessions. */
  sessions: BrokerSession[] = [];
  /** The probability that the broker refuses a stream. */
  streamRefusal = 0;
  /** The probability that an answer is lost after the work. */
  answerLoss = 0;
  hostility: Fault | undefined;
  readonly injected = new Map<FaultKind, number>();
  readonly cluster: Cluster;
  readonly instances: Instances;
  readonly nameServer = NAME_SERVER;
  private isWorking = true;
  private keys = 0;
  private readonly forgotten: { fromMs: number; untilMs: number }[] = [];
  private readonly unpacked: UnpackedBodies;

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
    machine.refusesStream = () => this.streamRefusal > 0 && chance.is(this.streamRefusal);
    machine.losesAnswer = () => this.answerLoss > 0 && chance.is(this.answerLoss);
    machine.altersTelemetry = (message) =>
      this.hostility === undefined ? message : withHostileSettings(message, this.hostility);
    machine.unpacked = this.unpacked.add;
    this.cluster = new Cluster({
      simulation,
      plan,
      disturbances: this.disturbances,
      answerLoss: () => this.answerLoss,
    });
    this.instances = new Instances(this, this.cluster, this.disturbances, (process) => {
      if (this.streamRefusal > 0 && this.cluster.addresses.length > 1) this.expectRenewal(process);
    });
  }

  get endpoints(): string {
    return this.cluster.endpoints;
  }

  isActive(): boolean {
    return this.isWorking;
  }

  nextKey(): string {
    return `m${this.keys++}`;
  }

  storeForeign(): void {
    const { simulation } = this;
    const { first } = this.cluster;
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
    const { simulation, plan, instances } = this;
    for (const node of this.cluster.nodes) node.start();
    for (let count = 0; count < plan.instances; count++) this.later(count * 100, () => instances.start());
    for (const fault of plan.faults) simulation.at(fault.atMs, undefined, () => inject(this, fault));
    await simulation.run(plan.activeMs);
    this.calm();
    await this.settle();
    const calmFacts = this.cluster.left();
    await simulation.run(simulation.nowMs + plan.idleMs);
    await this.closeAll();
    return this.facts(calmFacts);
  }

  /** Waits until everything is done or the time is over; longer if more was sent than could be handled. */
  private async settle(): Promise<void> {
    const { simulation, plan } = this;
    const { nodes } = this.cluster;
    // A broker that restarts may take its time to stop.
    const servesByMs = simulation.nowMs + MINUTE_MS;
    while (!nodes.every(({ isServing }) => isServing) && simulation.nowMs < servesByMs) {
      await simulation.run(simulation.nowMs + SETTLE_STEP_MS);
    }
    const open = (): number => {
      const facts = this.facts(this.cluster.left());
      return lost(facts).length + disagreements(facts).length;
    };
    const untilMs = simulation.nowMs + plan.settleMs + open() * plan.longestHandlerMs;
    do {
      await simulation.run(Math.min(untilMs, simulation.nowMs + SETTLE_STEP_MS));
    } while (simulation.nowMs < untilMs && open() > 0);
  }

  /**
   * Whether a fault must wait: a process that learns the layout from routes has to see all brokers before one goes. See the guide about
   * missing brokers.
   */
  get isLearning(): boolean {
    const { plan } = this;
    const { nodes } = this.cluster;
    return (
      nodes.length > 1 &&
      plan.layout === 'seen' &&
      this.instances.running.some(({ isStarted, process }) => !isStarted && !process.isDead)
    );
  }

  crashBroker(node: BrokerNode, awayMs: number): void {
    const { nowMs } = this.simulation;
    if (node.crash(awayMs) && this.plan.flush === 'async')
      this.forgotten.push({ fromMs: nowMs - MAX_BEHIND_MS, untilMs: nowMs });
  }

  /** Faults and work end. */
  private calm(): void {
    this.isWorking = false;
    this.streamRefusal = 0;
    this.answerLoss = 0;
    this.hostility = undefined;
    this.simulation.say('all is calm');
  }

  private async closeAll(): Promise<void> {
    const { simulation, instances } = this;
    const { nodes } = this.cluster;
    await instances.end();
    const running = new Set(nodes);
    for (const node of nodes) node.stop(() => running.delete(node));
    await simulation.run(simulation.nowMs + MINUTE_MS);
    for (const { name } of running) instances.hanging.push(`stop of broker ${name}`);
    for (const { name, process } of nodes)
      if (process.timers > 0) instances.leaks.push(`${process.timers} timers of broker ${name}`);
    for (const { number, client, server, isVanished } of this.network.connections) {
      const ends = [client, server].map(({ process, isClosed }) => `${process.name} ${isClosed ? 'closed' : 'open'}`);
      instances.leaks.push(`connection ${number} (${ends.join(', ')}${isVanished ? ', vanished' : ''})`);
    }
  }

  private facts(state: Pick<Facts, 'dead' | 'halves'>): Facts & NestFacts {
    const { plan, sends, handlings, transactions, disturbances, connections, closes, simulation, instances } = this;
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
      failedStarts: instances.failedStarts,
      pauses: this.pauses,
      ...state,
      decisions: this.decisions,
      requests: this.requests,
      answers: this.answers,
      releases: instances.releases,
      pulls: plan.pulls,
      isTight: plan.maxBufferedBytes < POLLS_AT_ONCE * plan.bodyBytes,
      forgotten: this.forgotten,
      resolutions: this.database.rows,
      maxAttempts: MAX_ATTEMPTS,
      attemptsOfServer: ATTEMPTS_OF_SERVER,
      limited: this.cluster.limited,
      announced: this.announced,
      groupsOf: {
        [TOPICS.normal]: [GROUPS.normal],
        [TOPICS.ordered]: plan.parts.ordered ? [GROUPS.ordered] : [],
        [NEST_TOPICS.manual]: [NEST_GROUPS.manual],
        [TOPICS.simple]: plan.parts.simple ? [GROUPS.simple] : [],
        [FOREIGN.topic]: plan.parts.foreign ? [FOREIGN.keepers] : [],
      },
      renewals: this.renewals,
      leaks: instances.leaks,
      uncaught: simulation.uncaught,
      peakUnpackedBytes: this.unpacked.peakBytes,
      // A message whose lease was lost is decompressed again when it is redelivered.
      bufferBound: isHarmed ? Number.POSITIVE_INFINITY : consumers * (plan.maxBufferedBytes + plan.bodyBytes),
      hanging: [...instances.hanging, ...this.stillUnderWay()],
    };
  }

  private stillUnderWay(): string[] {
    const names = new Set(
      this.instances.running.filter(({ process }) => !process.isDead).map(({ process }) => process.name),
    );
    return this.sends
      .filter(({ outcome, process }) => outcome === 'under way' && names.has(process))
      .map(({ key }) => `the send of ${key}`);
  }
}
