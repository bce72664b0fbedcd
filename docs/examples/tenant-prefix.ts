import type { DynamicModule } from '@nestjs/common';
import { RocketMQModule } from 'nestjs-rocketmq';

/** On the cluster, `orders` becomes `acme-orders`, and the group `billing` becomes `acme-billing`. */
export function rocketmqOf(tenant: string, endpoints: string): DynamicModule {
  return RocketMQModule.forRoot({ endpoints, topicPrefix: `${tenant}-`, groupPrefix: `${tenant}-` });
}
