// The health of a connection: what runs, and whether it is ready. It sends no requests to the server.

import type { SessionHealth } from '../../client/session-events.js';
import { type ConsumerHealth, heldUpText } from '../../consumer/consumer-health.js';
import type { PushConsumer } from '../../consumer/push-consumer.js';
import type { Producer } from '../../producer/producer.js';
import { SystemClock } from '../../support/clock.js';
import { describeOnOneLine } from '../../support/logger.js';
import { assertOptions, atLeast, type OptionChecks } from '../../support/options.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { GivenUpTransaction } from './given-up-watch.js';
import type { StartProblem } from './start-steps.js';

/**
 * - `idle`: the application has not started yet
 * - `starting`: startup waits for the server, or for a problem to be fixed (`whenUnavailable: 'degraded'`)
 * - `running`
 * - `draining`: it is shutting down; running handlers continue
 * - `closed`: it has shut down
 * - `detached`: a test's producer replaces the real one
 */
export type ConnectionPhase = 'idle' | 'starting' | 'running' | 'draining' | 'closed' | 'detached';

/** A consumer and the listeners that it serves. */
export interface ConsumerReport {
  readonly consumerGroup: string;
  readonly listeners: readonly string[];
  /** `waiting`: for its start, or for the transport strategy to listen. */
  readonly status: 'waiting' | 'running';
  /** Undefined while it waits. */
  readonly health: ConsumerHealth | undefined;
}

/** The health of a connection at this moment. */
export interface HealthReport {
  /** Its name; undefined for the one without a name. */
  readonly connection: string | undefined;
  readonly phase: ConnectionPhase;
  /** Whether messages can be sent, and every started consumer receives from all servers that answer. */
  readonly isReady: boolean;
  /** Why it is not ready; each problem names the connection, and the consumer group if it concerns one. Empty when it is ready. */
  readonly problems: readonly string[];
  readonly producer: { readonly clientId: string; readonly sessions: readonly SessionHealth[] } | undefined;
  readonly consumers: readonly ConsumerReport[];
  /**
   * Methods with `@MessagePattern`, `@EventPattern` or `@RocketMQReply`, as `Class.method`, that receive nothing, because the application started
   * without a microservice that takes them. They do not affect readiness.
   */
  readonly unconnectedHandlers: readonly string[];
  /**
   * Transactions of this application that the server has given up and nobody has resumed, updated every 5 minutes. They do not affect
   * readiness. Undefined when unknown: without `nameServer`, without transactions, or when the brokers reject the request.
   */
  readonly givenUpTransactions: readonly GivenUpTransaction[] | undefined;
}

/** When a slow consumer counts as not ready. Default of both: never, since only the application knows. */
export interface HealthLimits {
  /** The limit for the time since the oldest unsettled message was received, in milliseconds. Default: none. */
  readonly maxSettleLagMs?: number;
  /**
   * The limit for the time that a poll of a topic that is not paused may be without an answer, in milliseconds. More than 30 000, since an
   * idle poll takes 20 s. Default: none.
   */
  readonly maxReceiveAgeMs?: number;
}

/** What a report is created from; the runtime implements it. */
export interface HealthSource {
  readonly connectionPhase: ConnectionPhase;
  readonly startProblem: StartProblem | undefined;
  readonly producer: Producer | undefined;
  readonly consumers: readonly PlannedConsumer[] | undefined;
  readonly unconnectedHandlers: readonly string[];
  consumerOf(plan: PlannedConsumer): PushConsumer | undefined;
  readonly givenUpTransactions: readonly GivenUpTransaction[] | undefined;
}

/** Reports the health of one connection, with the transport servers that it has adopted. */
export class RocketMQHealth {
  private readonly clock = new SystemClock();

  /** @internal provided by the module */
  constructor(
    private readonly connection: string | undefined,
    private readonly sources: () => readonly HealthSource[],
  ) {}

  /** @throws UsageError for an invalid limit */
  report(limits: HealthLimits = {}): HealthReport {
    assertLimits(limits);
    const sources = this.sources();
    const [head] = sources;
    const consumers = sources.flatMap((source) => consumersOf(source));
    const phase = head?.connectionPhase ?? 'idle';
    const problems = [
      ...sources.flatMap(problemsOf),
      ...(phase === 'running' ? this.problemsOfConsumers([...relayOf(head), ...consumers], limits) : []),
    ];
    const name = this.connection === undefined ? 'RocketMQ' : `RocketMQ connection "${this.connection}"`;
    return {
      connection: this.connection,
      phase,
      isReady: problems.length === 0,
      problems: problems.map((problem) => `${name}: ${problem}`),
      producer: head?.producer && { clientId: head.producer.clientId, sessions: head.producer.sessions },
      consumers,
      unconnectedHandlers: sources.flatMap((source) => source.unconnectedHandlers),
      givenUpTransactions: head?.givenUpTransactions,
    };
  }

  private problemsOfConsumers(
    consumers: readonly Pick<ConsumerReport, 'consumerGroup' | 'health'>[],
    limits: HealthLimits,
  ): string[] {
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

/** The relay of delayed messages, which has no listeners. */
function relayOf(source: HealthSource | undefined): Pick<ConsumerReport, 'consumerGroup' | 'health'>[] {
  const health = source?.producer?.relayHealth;
  return health === undefined ? [] : [{ consumerGroup: health.consumerGroup, health }];
}

function problemsOf({ connectionPhase, startProblem, producer }: HealthSource): string[] {
  switch (connectionPhase) {
    case 'detached':
      return [];
    case 'running':
      return producer === undefined
        ? ['the producer is not running']
        : sessionProblem('the producer', producer.sessions);
    case 'starting': {
      if (startProblem === undefined) return ['it is starting'];
      const why =
        startProblem.kind === 'away'
          ? 'no server can be reached'
          : 'the declared topics and groups do not fit the server';
      return [`its startup is not complete, ${why}: ${describeOnOneLine(startProblem.error)}`];
    }
    default:
      return [`it is ${connectionPhase}`];
  }
}

/** One reachable server is enough: it carries the load of the others. */
function sessionProblem(who: string, sessions: readonly SessionHealth[]): string[] {
  if (sessions.some(({ status }) => status === 'ready')) return [];
  const sessionTexts = sessions.map(({ endpoint, status, error }) => {
    return `${endpoint} is ${status}${error === undefined ? '' : `, ${error}`}`;
  });
  return [`${who} is connected to no server (${sessionTexts.join('; ') || 'none was tried'})`];
}

function problemsOfConsumer(
  { sessions, topics, settleLagMs, unsettled, heldUp, limited, limitError }: ConsumerHealth,
  { maxSettleLagMs = Number.POSITIVE_INFINITY, maxReceiveAgeMs = Number.POSITIVE_INFINITY }: HealthLimits,
  nowMs: number,
): string[] {
  const problems = sessionProblem('it', sessions);
  const isAlone = problems.length > 0;
  // Another server does not have its messages, and only an operator can change that.
  const rejecting = isAlone ? [] : sessions.filter(({ status }) => status === 'rejected');
  for (const { endpoint, error } of rejecting) {
    problems.push(`${endpoint} rejects it, so messages there wait: ${error ?? 'without a reason'}`);
  }
  for (const { topic, assigned, isPaused, error, pollingSinceMs = nowMs } of topics) {
    if (assigned === 0) problems.push(`the server has assigned no queues of topic "${topic}" to it`);
    // Without a server these errors are a consequence of that.
    if (error !== undefined && !isAlone) problems.push(`receiving from topic "${topic}" fails: ${error}`);
    const silentMs = nowMs - pollingSinceMs;
    if (isPaused || silentMs <= maxReceiveAgeMs) continue;
    problems.push(`the poll of topic "${topic}" has had no answer for ${silentMs} ms`);
  }
  problems.push(...heldUp.map(heldUpText));
  if (limitError !== undefined) {
    problems.push(`${limited.join(', ')} waits for the store of limits, which does not answer: ${limitError}`);
  }
  if (settleLagMs > maxSettleLagMs) {
    problems.push(`the oldest of its ${unsettled} unsettled messages was received ${settleLagMs} ms ago`);
  }
  return problems;
}

const LIMITS: OptionChecks<HealthLimits> = { maxSettleLagMs: atLeast(1), maxReceiveAgeMs: atLeast(1) };

function assertLimits(limits: HealthLimits): void {
  assertOptions(limits, { options: LIMITS });
}
