// Sends one message to a topic as an application would. Only on request, because consumers receive it.

import { Connection } from '../../client/connection.js';
import { Producer } from '../../producer/producer.js';
import { currentLocalTransaction } from '../../producer/transactions/transaction-scope.js';
import { monotonicMs } from '../../support/deadline.js';
import { describeError } from '../../support/logger.js';
import type { Check } from './check.js';
import type { ProbeAccess } from './proxy-probe.js';
import { sinceMs } from './reach.js';

/** Lets consumers filter the message out. */
const TAG = 'doctor';
const BODY = 'a test message of nestjs-rocketmq doctor';
const DELAY_MS = 1_000;

/** @param types the message types of the topic */
export async function checkSend(
  endpoints: string,
  topic: string,
  types: readonly string[],
  access: ProbeAccess,
): Promise<Check> {
  const check = { name: 'send', subject: topic };
  const { timeoutMs, ...how } = access;
  const connection = new Connection({ endpoints, requestTimeoutMs: timeoutMs, ...how });
  const isTransactional = types.length === 1 && types[0] === 'transaction';
  const producer = new Producer(
    connection,
    isTransactional ? { transactionCheckers: { [topic]: () => 'rollback' } } : {},
  );
  const startedAtMs = monotonicMs();
  try {
    await producer.start({ timeoutMs });
    const message = { topic, body: BODY, tag: TAG };
    if (isTransactional) {
      await producer.transact({ message }, async () => currentLocalTransaction().rollback());
      return {
        ...check,
        status: 'ok',
        seen: `a half message was stored and rolled back in ${sinceMs(startedAtMs)} ms`,
      };
    }
    const isOnly = (type: string): boolean => types.length === 1 && types[0] === type;
    const { messageId } = await producer.send({
      ...message,
      ...(isOnly('fifo') ? { messageGroup: TAG } : {}),
      ...(isOnly('delay') ? { delayMs: DELAY_MS } : {}),
      ...(isOnly('priority') ? { priority: 0 } : {}),
      ...(isOnly('lite') ? { liteTopic: TAG } : {}),
    });
    return { ...check, status: 'ok', seen: `message ${messageId} was stored in ${sinceMs(startedAtMs)} ms` };
  } catch (error) {
    return {
      ...check,
      status: 'failed',
      seen: describeError(error),
      why: 'applications cannot send to the topic either',
    };
  } finally {
    await producer.close();
    connection.close();
  }
}
