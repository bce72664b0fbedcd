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
/** Where a person looks at what could not be booked. */
export const ToBeLookedAt = defineTopic('to-be-looked-at', { type: 'normal' });

export class UnknownCard extends Error {}

const logger = new Logger('Ledger');
const callSomebody = ({ message, reason, error }: DeadLetter): void =>
  logger.error(`${message.messageId} is a dead letter (${reason}): ${error}`);

@Injectable()
export class Ledger {
  readonly booked: string[] = [];

  @RocketMQListener(CardCharged, {
    timeoutMs: 10 * SECOND_MS,
    // After the first failure, the second, and all others.
    backoff: [SECOND_MS, 10 * SECOND_MS, MINUTE_MS],
    maxAttempts: 5,
    // Nobody knows the card tomorrow either.
    deadLetterOn: [UnknownCard],
    deadLetterTopic: ToBeLookedAt,
    onDeadLetter: callSomebody,
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
      // For listeners that say nothing else. `listeners` has the last word, by name: for operators.
      defaults: { backoff: { kind: 'exponential', initialMs: SECOND_MS, maxMs: MINUTE_MS, multiplier: 2 } },
      listeners: { 'Ledger.book': { deadLetterOn: [UnknownCard, HandlerTimeoutError] } },
    }),
  ],
  providers: [Ledger],
})
export class LedgerModule {}
