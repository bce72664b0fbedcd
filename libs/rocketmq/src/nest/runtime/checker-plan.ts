// Which checker answers for each transactional topic: a method with `@TransactionChecker`, otherwise the module's transaction log.

import type {
  TransactionCheckHandler,
  TransactionCheckRequest,
} from '../../producer/transactions/transaction-check.js';
import { UsageError } from '../../support/errors.js';
import { methodLabel } from '../common/handler-host.js';
import type { Discovered, FoundChecker } from '../listening/rocketmq.explorer.js';
import { decodeMessage, type MessageWire } from '../messages/message-body.js';
import type { TransactionAnswer, TransactionCheck } from '../transactions/transaction-checker.decorator.js';
import type { RocketMQModuleOptions } from './rocketmq.interfaces.js';

type PlanOptions = Pick<RocketMQModuleOptions, 'topics' | 'transactionLog'> & MessageWire;

/**
 * The checker of each topic to which the application sends transactions.
 * @throws UsageError that names the methods: a topic with two checkers, or with none
 */
export function planCheckers(
  { checkers, transactionalSends }: Discovered,
  options: PlanOptions,
): Record<string, TransactionCheckHandler> {
  const plan = new Map<string, TransactionCheckHandler>();
  const owners = new Map<string, FoundChecker>();
  for (const checker of checkers) {
    const { name } = checker.topic;
    const topic = options.names.topic(name);
    const other = owners.get(topic);
    if (other !== undefined) {
      const text = `${methodLabel(other)} and ${methodLabel(checker)} are both the @TransactionChecker of topic "${name}"; remove one`;
      throw new UsageError('TWO_TRANSACTION_CHECKERS', text, 'topic');
    }
    assertTransactional(checker.topic, `${methodLabel(checker)} (@TransactionChecker)`);
    owners.set(topic, checker);
    plan.set(topic, (check) => ask(checker, check, options));
  }
  const { transactionLog, topics = [], names } = options;
  const needed = [
    ...transactionalSends.map((send) => ({ topic: send.topic, who: `${methodLabel(send)} (@TransactionalSend)` })),
    ...topics.map((topic) => ({ topic, who: 'option topics' })).filter(({ topic }) => topic.type === 'transaction'),
  ];
  for (const { topic, who } of needed) {
    assertTransactional(topic, who);
    const name = names.topic(topic.name);
    if (plan.has(name)) continue;
    if (transactionLog === undefined) throw noChecker(topic.name, who);
    const { recorder } = transactionLog;
    plan.set(
      name,
      Object.assign((check: TransactionCheckRequest) => transactionLog.check(check), { recorder }),
    );
  }
  return Object.fromEntries(plan);
}

async function ask(
  { host, methodName, topic }: FoundChecker,
  check: TransactionCheckRequest,
  wire: MessageWire,
): Promise<TransactionAnswer> {
  const withBody: TransactionCheck = { ...check, ...(await decodeMessage(topic, check.message, wire)) };
  const { instance } = await host.resolve(withBody);
  const method = (instance as Record<string, (check: TransactionCheck) => Promise<TransactionAnswer>>)[methodName];
  return method?.call(instance, withBody);
}

function assertTransactional({ name, type }: FoundChecker['topic'], who: string): void {
  if (type === undefined || type === 'transaction') return;
  const text = `${who}: topic "${name}" is defined for ${type} messages; define it with type 'transaction'`;
  throw new UsageError('MESSAGE_TYPE_MISMATCH', text, 'type');
}

function noChecker(topic: string, who: string): UsageError {
  const text =
    `${who}: nothing answers the transaction checks of topic "${topic}", so a lost answer could never be resolved; give ` +
    `RocketMQModule a transactionLog (TransactionLog of nestjs-rocketmq/sql), or add a method @TransactionChecker('${topic}')`;
  return new UsageError('NO_TRANSACTION_CHECKER', text, 'transactionLog');
}
