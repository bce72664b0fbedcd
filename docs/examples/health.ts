import { Controller, Get, Module } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { MINUTE_MS } from 'nestjs-rocketmq';
import { RocketMQHealthIndicator } from 'nestjs-rocketmq/terminus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly rocketmq: RocketMQHealthIndicator,
  ) {}

  // An unreachable server is no reason to restart this process: a restart would not bring it back.
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.rocketmq.live('rocketmq', { maxHandlerMs: 30 * MINUTE_MS })]);
  }

  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.rocketmq.ready('rocketmq')]);
  }
}

@Module({ imports: [TerminusModule], controllers: [HealthController], providers: [RocketMQHealthIndicator] })
export class HealthModule {}
