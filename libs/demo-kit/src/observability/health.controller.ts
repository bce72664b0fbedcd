// The probes. Live: no handler hangs. Ready: messages can be sent and received, and the database responds.

import { Controller, Get, Inject } from '@nestjs/common';
import {
  HealthCheck,
  type HealthCheckResult,
  HealthCheckService,
  type HealthIndicatorResult,
  HealthIndicatorService,
} from '@nestjs/terminus';
import { sql } from 'kysely';
import { MINUTE_MS } from 'nestjs-rocketmq';
import { RocketMQHealthIndicator } from 'nestjs-rocketmq/terminus';
import type { DemoDatabase } from '../database.js';
import { inTime } from './in-time.js';

/** Far longer than the slowest handler takes. Only a restart helps when one hangs. */
const MAX_HANDLER_MS = 5 * MINUTE_MS;
const PING_TIMEOUT_MS = 2_000;

export const HEALTH_DATABASE = Symbol('health database');

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicator: HealthIndicatorService,
    private readonly rocketmq: RocketMQHealthIndicator,
    @Inject(HEALTH_DATABASE) private readonly database: DemoDatabase<unknown>,
  ) {}

  // Checks neither broker nor database: restarting this process would not help them.
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.rocketmq.live('rocketmq', { maxHandlerMs: MAX_HANDLER_MS })]);
  }

  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.rocketmq.ready('rocketmq'), () => this.ping()]);
  }

  private async ping(): Promise<HealthIndicatorResult<'database'>> {
    const check = this.indicator.check('database');
    const answer = sql`select 1`.execute(this.database.db).then(
      () => undefined,
      // The driver's error may contain hosts and users, which callers of the probe must not see.
      () => 'it is unavailable',
    );
    const problem = await inTime<string | undefined>(answer, PING_TIMEOUT_MS, 'no answer in time');
    return problem === undefined ? check.up() : check.down(problem);
  }
}
