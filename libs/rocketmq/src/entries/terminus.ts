// The entry `nestjs-rocketmq/terminus`: health checks for @nestjs/terminus.

export type { HealthLimits } from '../nest/health/rocketmq-health.js';
export {
  type LivenessOptions,
  type ReadinessOptions,
  RocketMQHealthIndicator,
  type RocketMQHealthResult,
} from '../terminus/rocketmq-health-indicator.js';
