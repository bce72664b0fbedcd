// How a connection stands: what runs, and whether that is enough to be called ready. Nothing is asked of the server for it.

import type { SessionHealth } from '../../client/session-events.js';
import type { ConsumerHealth } from '../../consumer/consumer-health.js';
import type { PushConsumer } from '../../consumer/push-consumer.js';
import type { Producer } from '../../producer/producer.js';
import { SystemClock } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { atLeast, type Check } from '../common/option-checks.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { GivenUpTransaction } from './given-up-watch.js';
import type { StartProblem } from './start-steps.js';

/**
 * - `idle`: the application has not started yet
 * - `starting`: its start waits for the server, or for something that is to be mended (`whenUnavailable: 'degraded'`)
 * - `running`
 * - `draining`: it ends; handlers that run go on
 * - `closed`: it has ended
 * - `detached`: a test's producer stands in for the real one
 */
export type ConnectionPhase = 'idle' | 'starting' | 'running' | 'draining' | 'closed' | 'detached';

/** A consumer and the listeners that it serves. */
export interface ConsumerReport {
  readonly consumerGroup: string;
  readonly listeners: readonly string[];
  /** `waiting`: for its start, or for the transport strategy to be told to listen. */
  readonly status: 'waiting' | 'running';
  /** Undefined while it waits. */
  readonly health: ConsumerHealth | undefined;
}

/** How a connection stands at this moment. */
export interface HealthReport {
  /** Its name; undefined for the one without. */
  readonly connection: string | undefined;
  readonly phase: ConnectionPhase;
  /** Whether messages can be sent, and every consumer that was started receives. */
  readonly isReady: boolean;
  /** Why it is not; each names the connection, and the consumer group where it is about one. Empty when it is ready. */
  readonly problems: readonly string[];
  readonly producer: { readonly clientId: string; readonly sessions: readonly SessionHealth[] } | undefined;
  readonly consumers: readonly ConsumerReport[];
  /**
   * Transactions of this application that the server has given up and nobody has resumed, as every 5 minutes found. They are no reason
   * to be not ready. Undefined when that is not known: without `nameServer`, without transactions, or when the brokers refuse to tell.
   */
  readonly givenUpTransactions: readonly GivenUpTransaction[] | undefined;
}

/** From when on a consumer that is slow is not ready. Default of both: never, since that is for the application to know. */
export interface HealthLimits {
  /** How long ago the oldest message that is not settled may have been received. Default: that is not looked at. */
  readonly maxSettleLagMs?: number;
  /**
   * How long a poll of a topic that is not paused may be without an answer. More than 30 000: an idle poll takes 20 s. Default: that is not
   * looked at.
   */
  readonly maxReceiveAgeMs?: number;
}

/** What a report is made from: a runtime. */
export interface HealthSource {
  readonly connectionPhase: ConnectionPhase;
  readonly startProblem: StartProblem | undefined;
  readonly producer: Producer | undefined;
  readonly consumers: readonly PlannedConsumer[] | undefined;
  consumerOf(plan: PlannedConsumer): PushConsumer | undefined;
  readonly givenUpTransactions: readonly GivenUpTransaction[] | undefined;
}

/** Tells how one connection stands, with the transport servers that it has adopted. */
export class RocketMQHealth {
  private readonly clock = new SystemClock();

  /** @internal provided by the module */
  constructor(
    private readonly connection: string | undefined,
    private readonly sources: () => readonly HealthSource[],
  ) {}

  /** @throws UsageError for a wrong limit */
  report(limits: HealthLimits = {}): HealthReport {
    assertLimits(limits);
    const sources = this.sources();
    const [head] = sources;
    const consumers = sources.flatMap((source) => consumersOf(source));
    const phase = head?.connectionPhase ?? 'idle';
    const problems = [
      ...sources.flatMap(problemsOf),
      ...(phase === 'running' ? this.problemsOfConsumers(consumers, limits) : []),
    ];
    const name = this.connection === undefined ? 'RocketMQ' : `RocketMQ connection "${this.connection}"`;
    return {
      connection: this.connection,
      phase,
      isReady: problems.length === 0,
      problems: problems.map((problem) => `${name}: ${problem}`),
      producer: head?.producer && { clientId: head.producer.clientId, sessions: head.producer.sessions },
      consumers,
      givenUpTransactions: head?.givenUpTransactions,
    };
  }

  private problemsOfConsumers(consumers: readonly ConsumerReport[], limits: HealthLimits): string[] {
    const nowMs = this.clock.nowMs();
    return consumers.flatMap(({ consumerGroup, health }) => {
      const about = `consumer group "${consumerGroup}"`;
      return health === undefined ? [] : problemsOfConsumer(health, limits, nowMs).map((text) => `${about}: ${text}`);
    });
  }
}

function consumersOf(source: HealthSource): ConsumerReport[] {
  return (source.consumers ?? []).map((plan) => {
    const consumer = source.consumerOf(plan);
    return {
      consumerGroup: plan.consumerGroup,
      listeners: plan.listeners.map(({ name }) => name),
      status: consumer === undefined ? 'waiting' : 'running',
      health: consumer?.health,
    };
  });
}

function problemsOf({ connectionPhase, startProblem, producer }: HealthSource): string[] {
  switch (connectionPhase) {
    case 'detached':
      return [];
    case 'running':
      return producer === undefined ? ['the producer does not run'] : sessionProblem('the producer', producer.sessions);
    case 'starting': {
      if (startProblem === undefined) return ['it is starting'];
      const why =
        startProblem.kind === 'away' ? 'no server can be reached' : 'what is declared does not fit the server';
      return [`its start is not complete, ${why}: ${describeError(startProblem.error)}`];
    }
    default:
      return [`it is ${connectionPhase}`];
  }
}

/** One server that is there is enough: others carry the load of those that are away. */
function sessionProblem(who: string, sessions: readonly SessionHealth[]): string[] {
  if (sessions.some(({ status }) => status === 'ready')) return [];
  const told = sessions.map(({ endpoint, status, error }) => {
    return `${endpoint} is ${status}${error === undefined ? '' : `, ${error}`}`;
  });
  return [`${who} has no server (${told.join('; ') || 'none was asked'})`];
}

function problemsOfConsumer(
  { sessions, topics, settleLagMs, unsettled }: ConsumerHealth,
  { maxSettleLagMs = Number.POSITIVE_INFINITY, maxReceiveAgeMs = Number.POSITIVE_INFINITY }: HealthLimits,
  nowMs: number,
): string[] {
  const problems = sessionProblem('it', sessions);
  const isAlone = problems.length > 0;
  for (const { topic, assigned, isPaused, error, pollingSinceMs = nowMs } of topics) {
    if (assigned === 0) problems.push(`the server has assigned nothing of topic "${topic}" to it`);
    // Without a server that follows.
    if (error !== undefined && !isAlone) problems.push(`receiving from topic "${topic}" fails: ${error}`);
    const silentMs = nowMs - pollingSinceMs;
    if (isPaused || silentMs <= maxReceiveAgeMs) continue;
    problems.push(`nothing has come back from topic "${topic}" for ${silentMs} ms`);
  }
  if (settleLagMs > maxSettleLagMs) {
    problems.push(`the oldest of its ${unsettled} unsettled messages was received ${settleLagMs} ms ago`);
  }
  return problems;
}

const LIMITS: Readonly<Record<keyof HealthLimits, Check>> = { maxSettleLagMs: atLeast(1), maxReceiveAgeMs: atLeast(1) };

function assertLimits(limits: HealthLimits): void {
  for (const [field, value] of Object.entries(limits)) {
    const check = Object.hasOwn(LIMITS, field) ? LIMITS[field as keyof HealthLimits] : undefined;
    const unknown = `is unknown; the limits are ${Object.keys(LIMITS).join(', ')}`;
    const problem = check === undefined ? unknown : value === undefined ? undefined : check(value);
    if (problem !== undefined) throw new UsageError('ILLEGAL_OPTION', `${field} ${problem}`, field);
  }
}
