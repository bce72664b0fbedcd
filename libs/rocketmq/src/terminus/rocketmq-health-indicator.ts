// The indicator for @nestjs/terminus. nest/operations decides about the health of a connection.

import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import * as terminus from '@nestjs/terminus';
import type { HealthLimits, HealthReport, RocketMQHealth } from '../nest/health/rocketmq-health.js';
import { getRocketMQHealthToken } from '../nest/module/injection.decorators.js';
import { UsageError } from '../support/errors.js';
import { atLeast } from '../support/options.js';

/** The result of an indicator, in all versions of terminus. */
export type RocketMQHealthResult<Key extends string = string> = Record<
  Key,
  { readonly status: 'up' | 'down'; readonly [detail: string]: unknown }
>;

/** The options for readiness. */
export interface ReadinessOptions extends HealthLimits {
  /** The name of the connection. Default: the one without a name. */
  readonly connection?: string;
}

/** The options for liveness. */
export interface LivenessOptions {
  /** The name of the connection. Default: the one without a name. */
  readonly connection?: string;
  /**
   * How long a handler may run, in milliseconds: to detect handlers that hang, which only a restart fixes. Choose it far above the
   * duration of the slowest handler. Default: not checked.
   */
  readonly maxHandlerMs?: number;
}

/**
 * `RocketMQModule` for the health checks of @nestjs/terminus. Provide it in the module of the health controller:
 * `() => this.rocketmq.ready('rocketmq')`. It sends no request to the server: it reports what producer and consumers know.
 */
@Injectable()
export class RocketMQHealthIndicator {
  constructor(@Inject(ModuleRef) private readonly modules: ModuleRef) {}

  /**
   * For the readiness probe: `up` while messages can be sent and every started consumer receives. The details name the
   * connection, and for each consumer its group, its assigned queues, when it last received, and its settle lag.
   * @param key the name of the result
   * @throws UsageError `UNKNOWN_CONNECTION`; with terminus 10, a HealthCheckError reports `down`, as terminus expects
   */
  async ready<const Key extends string = 'rocketmq'>(
    key: Key = 'rocketmq' as Key,
    { connection, ...limits }: ReadinessOptions = {},
  ): Promise<RocketMQHealthResult<Key>> {
    const report = this.health(connection).report(limits);
    return resultOf(key, report.isReady, { ...detailsOf(report), problems: report.problems });
  }

  /**
   * For the liveness probe: `up` whether a server is reachable or not, since a restart would not help. `down` only when
   * handlers hang, and only if `maxHandlerMs` is set: messages that wait for a handler or for their next attempt do not matter.
   * @param key the name of the result
   * @throws as {@link ready}
   */
  async live<const Key extends string = 'rocketmq'>(
    key: Key = 'rocketmq' as Key,
    { connection, maxHandlerMs, ...others }: LivenessOptions = {},
  ): Promise<RocketMQHealthResult<Key>> {
    assertLiveness(maxHandlerMs, others);
    const { phase, consumers } = this.health(connection).report();
    // A startup may stay incomplete for long while handlers run.
    const isAtWork = phase === 'running' || phase === 'starting';
    const stuck = consumers.flatMap(({ consumerGroup, health }) => {
      const ranMs = health?.longestHandlerMs ?? 0;
      if (maxHandlerMs === undefined || ranMs <= maxHandlerMs || !isAtWork) return [];
      return [`consumer group "${consumerGroup}": a handler has been running for ${ranMs} ms`];
    });
    return resultOf(key, stuck.length === 0, {
      ...(connection === undefined ? {} : { connection }),
      phase,
      problems: stuck,
    });
  }

  private health(connection: string | undefined): RocketMQHealth {
    try {
      return this.modules.get<RocketMQHealth>(getRocketMQHealthToken(connection), { strict: false });
    } catch (cause) {
      const which = connection === undefined ? 'connection without a name' : `connection "${connection}"`;
      const text = `RocketMQHealthIndicator: the application imports no RocketMQModule for the ${which}`;
      throw new UsageError('UNKNOWN_CONNECTION', text, 'connection', { cause });
    }
  }
}

function assertLiveness(maxHandlerMs: unknown, others: object): void {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    const text = `${unknown} is unknown; the options are connection, maxHandlerMs`;
    throw new UsageError('ILLEGAL_OPTION', text, unknown);
  }
  const problem = maxHandlerMs === undefined ? undefined : atLeast(1)(maxHandlerMs);
  if (problem !== undefined) throw new UsageError('ILLEGAL_OPTION', `maxHandlerMs ${problem}`, 'maxHandlerMs');
}

type Details = Readonly<Record<string, unknown>>;

/** Plain data, and short: it is sent to every caller of the health endpoint. */
function detailsOf(report: HealthReport): Details {
  const { connection, phase, producer, consumers, unconnectedHandlers, givenUpTransactions } = report;
  return {
    ...(connection === undefined ? {} : { connection }),
    phase,
    servers: serversOf(producer?.sessions ?? []),
    ...(unconnectedHandlers.length === 0 ? {} : { unconnectedHandlers }),
    ...(givenUpTransactions === undefined ? {} : { givenUpTransactions: givenUpTransactions.length }),
    consumers: consumers.map(({ consumerGroup, status, health }) => {
      if (health === undefined) return { consumerGroup, status };
      const { sessions, topics, unsettled, settleLagMs, longestHandlerMs, heldUp, limited, limitError } = health;
      const received = topics.map(({ topic, assigned, isPaused, lastReceiveAtMs }) => {
        const lastReceive = lastReceiveAtMs === undefined ? null : new Date(lastReceiveAtMs).toISOString();
        return { topic, assigned, isPaused, lastReceive };
      });
      return {
        consumerGroup,
        status,
        servers: serversOf(sessions),
        topics: received,
        unsettled,
        settleLagMs,
        longestHandlerMs,
        ...(heldUp.length === 0 ? {} : { heldUpQueues: heldUp.length }),
        ...(limited.length === 0 ? {} : { limited }),
        ...(limitError === undefined ? {} : { limitError }),
      };
    }),
  };
}

function serversOf(sessions: NonNullable<HealthReport['producer']>['sessions']): Readonly<Record<string, string>> {
  return Object.fromEntries(sessions.map(({ endpoint, status }) => [endpoint, status]));
}

/** The part that only terminus 10 has. */
interface OlderTerminus {
  readonly HealthCheckError?: new (message: string, causes: unknown) => Error;
}

/** From terminus 11 on, which has `HealthIndicatorService`, a result reports `down`; before, only an error does. */
function resultOf<Key extends string>(key: Key, isUp: boolean, details: Details): RocketMQHealthResult<Key> {
  const result = { [key]: { status: isUp ? 'up' : 'down', ...details } } as RocketMQHealthResult<Key>;
  const { HealthCheckError } = terminus as OlderTerminus;
  if (isUp || 'HealthIndicatorService' in terminus || HealthCheckError === undefined) return result;
  throw new HealthCheckError(`${key} is down`, result);
}
