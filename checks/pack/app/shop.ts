// An application as users write it: topics with schemas and with classes, a listener, a transaction, patterns, enhancers.

import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  Injectable,
  Module,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Type } from 'class-transformer';
import { IsInt, IsString, Min } from 'class-validator';
import {
  type BodyOf,
  currentTransaction,
  DeadLetterError,
  defineTopic,
  MINUTE_MS,
  RetryLaterError,
  RocketMQContext,
  RocketMQListener,
  RocketMQProducer,
  type TransactionAnswer,
  TransactionalSend,
  TransactionChecker,
} from 'nestjs-rocketmq';
import { type Observable, tap } from 'rxjs';
import { z } from 'zod';

export const OrderPlaced = defineTopic('order-placed', {
  type: 'normal',
  schema: z.object({ orderId: z.string(), at: z.coerce.date<string>() }),
});

export class StockMoved {
  @IsString()
  sku!: string;

  @IsInt()
  @Min(1)
  @Type(() => Number)
  quantity!: number;
}

export const StockTopic = defineTopic('stock-moved', { type: 'normal', schema: StockMoved });
export const PaymentDue = defineTopic<{ orderId: string }>('payment-due', { type: 'delay' });
export const OrderStep = defineTopic<{ step: number }>('order-step', { type: 'fifo' });
export const OrderPaid = defineTopic<{ orderId: string }>('order-paid', { type: 'transaction' });

/** What happened, in order. */
@Injectable()
export class Journal {
  readonly lines: string[] = [];
}

@Injectable()
export class Listeners {
  private failures = 0;

  constructor(private readonly journal: Journal) {}

  @RocketMQListener(OrderPlaced)
  async placed({ orderId, at }: BodyOf<typeof OrderPlaced>): Promise<void> {
    this.journal.lines.push(`placed ${orderId} in ${at.getUTCFullYear()}`);
  }

  @RocketMQListener(StockTopic)
  async moved(body: StockMoved): Promise<void> {
    this.journal.lines.push(`moved ${body.quantity + 1} of ${body.sku}: ${body instanceof StockMoved}`);
  }

  @RocketMQListener(PaymentDue)
  async due(@Payload() { orderId }: { orderId: string }, @Ctx() context: RocketMQContext): Promise<void> {
    this.journal.lines.push(`due ${orderId}, attempt ${context.deliveryAttempt}`);
    this.failures++;
    if (this.failures === 1) throw new RetryLaterError({ delayMs: 10 * MINUTE_MS });
    if (orderId === 'lost') throw new DeadLetterError('nobody knows it');
  }

  @RocketMQListener(OrderStep, { consumerGroup: 'steps' })
  async step({ step }: { step: number }): Promise<void> {
    this.journal.lines.push(`step ${step}`);
  }

  @RocketMQListener(OrderPaid)
  async paid({ orderId }: { orderId: string }): Promise<void> {
    this.journal.lines.push(`paid ${orderId}`);
  }
}

@Injectable()
export class Payments {
  constructor(private readonly producer: RocketMQProducer) {}

  @TransactionalSend(OrderPaid, { message: (orderId: string) => ({ body: { orderId }, keys: [orderId] }) })
  async pay(orderId: string): Promise<string> {
    if (orderId === 'broke') throw new RangeError('no money');
    if (orderId === 'twice') currentTransaction().rollback();
    return currentTransaction().transactionId;
  }

  @TransactionChecker(OrderPaid)
  check({ body }: { body: unknown }): TransactionAnswer {
    return (body as { orderId: string }).orderId === 'broke' ? 'rollback' : 'commit';
  }

  async place(orderId: string): Promise<void> {
    await this.producer.send(OrderPlaced, { orderId, at: '2026-01-01T00:00:00Z' }, { keys: [orderId] });
    await this.producer.send(PaymentDue, { orderId }, { delayMs: 30 * MINUTE_MS });
  }
}

@Injectable()
class JournalGuard implements CanActivate {
  constructor(private readonly journal: Journal) {}

  canActivate(context: ExecutionContext): boolean {
    this.journal.lines.push(`guard ${context.getType<string>()}`);
    return true;
  }
}

@Injectable()
class JournalInterceptor implements NestInterceptor {
  constructor(private readonly journal: Journal) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.journal.lines.push('before');
    return next.handle().pipe(tap(() => this.journal.lines.push('after')));
  }
}

@Injectable()
class UpperCasePipe implements PipeTransform<{ text: string }> {
  transform(body: { text: string }): { text: string } {
    return { ...body, text: body.text.toUpperCase() };
  }
}

@Injectable()
@Catch(SyntaxError)
class JournalFilter implements ExceptionFilter<SyntaxError> {
  constructor(private readonly journal: Journal) {}

  catch(error: SyntaxError, host: ArgumentsHost): void {
    this.journal.lines.push(`filter, attempt ${host.switchToRpc().getContext<RocketMQContext>().deliveryAttempt}`);
    throw error;
  }
}

@Controller()
@UseGuards(JournalGuard)
@UseInterceptors(JournalInterceptor)
@UseFilters(JournalFilter)
export class Enhanced {
  constructor(@Inject(Journal) private readonly journal: Journal) {}

  @RocketMQListener('enhanced', { consumerGroup: 'enhanced', backoff: MINUTE_MS, maxAttempts: 2 })
  @UsePipes(UpperCasePipe)
  async handle(@Payload() { text }: { text: string }): Promise<void> {
    this.journal.lines.push(text);
    if (text === 'BROKEN') throw new SyntaxError('not this again');
  }
}

@Controller({ scope: Scope.REQUEST })
export class PerMessage {
  private calls = 0;

  constructor(@Inject(Journal) private readonly journal: Journal) {}

  @RocketMQListener('per-message', { consumerGroup: 'per-message' })
  async handle(@Payload() body: string): Promise<void> {
    this.journal.lines.push(`${body}: call ${++this.calls}`);
  }
}

@Controller()
export class Patterns {
  constructor(@Inject(Journal) private readonly journal: Journal) {}

  @EventPattern<string>('prices:changed')
  async changed(@Payload() { item }: { item: string }, @Ctx() context: RocketMQContext): Promise<void> {
    this.journal.lines.push(`price of ${item}, tag ${context.message.tag}`);
  }

  @MessagePattern<string>('price-requests')
  async priceOf(@Payload() { item }: { item: string }): Promise<{ cents: number }> {
    if (item !== 'tea') throw new RangeError(`nobody sells ${item}`);
    return { cents: 250 };
  }
}

@Module({ providers: [Journal], exports: [Journal] })
export class JournalModule {}
