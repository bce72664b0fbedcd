import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable, Module } from '@nestjs/common';
import {
  DeadLetterError,
  defineTopic,
  type MessageHook,
  type OutgoingMessage,
  type RocketMQContext,
  RocketMQListener,
  RocketMQModule,
} from 'nestjs-rocketmq';

/** The tenant of the current request or message. */
export const currentTenant = new AsyncLocalStorage<string>();

/** Sets the tenant on every message. Without a tenant, nothing is sent. */
export class TenantHook implements MessageHook {
  outgoing(message: OutgoingMessage): OutgoingMessage {
    const tenant = currentTenant.getStore();
    if (tenant === undefined) throw new Error('a message needs a tenant: call send() inside currentTenant.run()');
    return { ...message, properties: { ...message.properties, tenant } };
  }
}

export const InvoiceWritten = defineTopic<{ number: string }>('invoice-written', { type: 'normal' });

@Injectable()
export class Archive {
  readonly archived: string[] = [];

  @RocketMQListener(InvoiceWritten, { consumerGroup: 'archive' })
  async archive({ number }: { number: string }, { message }: RocketMQContext): Promise<void> {
    const { tenant } = message.properties;
    // A retry would not add a tenant.
    if (tenant === undefined) throw new DeadLetterError('the message has no tenant');
    await currentTenant.run(tenant, async () => {
      // Everything called from here knows the tenant, and messages sent from here carry it.
      this.archived.push(`${currentTenant.getStore()}: ${number}`);
    });
  }
}

@Module({
  imports: [
    RocketMQModule.forRoot({ endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:', hooks: [new TenantHook()] }),
  ],
  providers: [Archive],
  exports: [Archive],
})
export class ArchiveModule {}
