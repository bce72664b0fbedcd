import { Injectable, Logger, Module } from '@nestjs/common';
import {
  type DeadLetter,
  defineTopic,
  HandlerTimeoutError,
  MINUTE_MS,
  type RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  SECOND_MS,
} from 'nestjs-rocketmq';

export const CardCharged = defineTopic<{ card: string }>('card-charged', { type: 'normal' });
/** Charges that somebody has to look at. */
export const ToBeLookedAt = defineTopic('to-be-looked-at', { type: 'normal' });

export class UnknownCard extends Error {}

const logger = new Logger('Ledger');
const logDeadLetter = ({ message, reason, error }: DeadLetter): void =>
  logger.error(`${message.messageId} is a dead letter (${reason}): ${error}`);

@Injectable()
export class Ledger {
  readonly booked: string[] = [];

  @RocketMQListener(CardCharged, {
    handlerTimeoutMs: 10 * SECOND_MS,
    // The delay after the first failure, the second, and all later ones.
    backoff: [SECOND_MS, 10 * SECOND_MS, MINUTE_MS],
    maxAttempts: 5,
    // An unknown card stays unknown: do not retry.
    deadLetterOn: [UnknownCard],
    deadLetterTopic: ToBeLookedAt,
    onDeadLetter: logDeadLetter,
  })
  async book({ card }: { card: string }, { deliveryAttempt, logger }: RocketMQContext): Promise<void> {
    if (card === '') throw new UnknownCard('no card');
    if (card === 'slow bank' && deliveryAttempt === 1) throw new Error('the bank does not answer');
    logger.info('booked');
    this.booked.push(card);
  }
}

@Module({
  imports: [
    RocketMQModule.forRoot({
      endpoints: 'embedded:',
      consumerGroup: 'ledger',
      // `defaults` applies to listeners that do not set the option. `listeners` overrides both, by name, for operators.
      defaults: { backoff: { kind: 'exponential', initialMs: SECOND_MS, maxMs: MINUTE_MS, multiplier: 2 } },
      listeners: { 'Ledger.book': { deadLetterOn: [UnknownCard, HandlerTimeoutError] } },
    }),
  ],
  providers: [Ledger],
})
export class LedgerModule {}
