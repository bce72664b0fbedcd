import { type CanActivate, type ExecutionContext, Injectable, Module } from '@nestjs/common';
import { RocketMQModule } from 'nestjs-rocketmq';
import { RocketMQConsoleModule } from 'nestjs-rocketmq-console';

interface Visit {
  /** Set by whatever signs your users in. */
  readonly user?: { readonly email: string };
}

@Injectable()
export class OperatorGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<Visit>().user !== undefined;
  }
}

const replayers = new Set(['ada@example.com']);

@Module({
  imports: [
    RocketMQModule.forRoot({
      endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
      // What the console reads. `embedded:` needs none.
      nameServer: process.env.ROCKETMQ_NAME_SERVER,
    }),
    RocketMQConsoleModule.forRoot({
      guards: [OperatorGuard],
      viewer: (visit: Visit) => visit.user?.email,
      actions: ['replay', 'rewind'],
      authorize: (viewer, action) => action !== 'replay' || replayers.has(viewer ?? ''),
      bodies: 'hidden',
    }),
  ],
})
export class OperationsModule {}
