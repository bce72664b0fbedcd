// Log lines about transactions that did not end in one go, so that one sees what the server's check is good for.

import { Logger } from '@nestjs/common';
import type { TransactionEvents } from 'nestjs-rocketmq';

/** For the option `events` of RocketMQModule. */
export function transactionReport(): TransactionEvents {
  const logger = new Logger('Transactions');
  return {
    onLeftToCheck: ({ topic, messageId }, resolution) => {
      logger.log(`the ${resolution} of ${messageId} on ${topic} may be lost; the server will ask for it`);
    },
    onChecked: ({ topic, messageId }, resolution) => {
      logger.log(`the server asked about ${messageId} on ${topic}: ${resolution}`);
    },
  };
}
