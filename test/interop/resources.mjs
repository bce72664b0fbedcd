// What every interop program finds on its broker: the same topics and consumer groups, on both backends. A program reaches
// them by purpose; the prefix keeps programs apart that share a broker.

const RETRY_AT_ONCE = { kind: 'exponential', initialMs: 1000, maxMs: 1000, multiplier: 1 };

/** @type {Record<string, { type: string, queues?: number }>} */
const TOPICS = {
  'send-normal': { type: 'normal' },
  'send-fifo': { type: 'fifo' },
  'send-delay': { type: 'delay' },
  'send-transaction': { type: 'transaction' },
  simple: { type: 'normal', queues: 1 },
  large: { type: 'normal' },
  leases: { type: 'normal' },
  tags: { type: 'normal' },
  sql: { type: 'normal' },
  push: { type: 'normal' },
  'long-handler': { type: 'normal' },
  order: { type: 'fifo', queues: 4 },
  'order-leases': { type: 'fifo', queues: 1 },
  'order-retries': { type: 'fifo', queues: 1 },
  retries: { type: 'normal' },
  delay: { type: 'delay' },
  recall: { type: 'delay' },
  priority: { type: 'priority' },
  transactions: { type: 'transaction' },
  shutdown: { type: 'normal' },
};

/** @type {Record<string, { fifo?: boolean, maxDeliveryAttempts?: number, backoff?: object }>} */
const GROUPS = {
  simple: {},
  large: {},
  leases: {},
  'tags-some': {},
  'tags-all': {},
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((number) => [`sql-${number}`, {}])),
  push: { backoff: RETRY_AT_ONCE },
  'long-handler': {},
  order: { fifo: true, backoff: RETRY_AT_ONCE },
  'order-leases': { fifo: true },
  'order-retries': { fifo: true, maxDeliveryAttempts: 2, backoff: RETRY_AT_ONCE },
  'order-retries-dead': {},
  retries: { maxDeliveryAttempts: 2, backoff: RETRY_AT_ONCE },
  'retries-dead': {},
  delay: {},
  recall: {},
  priority: {},
  transactions: {},
  shutdown: {},
};

/** What a program does, each a transcript of its own. A program that skips one fails. */
export const STEPS = [
  'send',
  'simple',
  'large',
  'leases',
  'tags',
  'sql',
  'push',
  'long-handler',
  'order',
  'order-leases',
  'order-retries',
  'retries',
  'delay',
  'recall',
  'priority',
  'transactions',
  'shutdown',
];

/** @param {string} client such as `java` */
export function prefixOf(client) {
  return `interop-${client}-`;
}

/**
 * @param {string} client
 * @returns {{ topics: { name: string, type: string, queues?: number }[], groups: { name: string }[] }}
 */
export function resourcesOf(client) {
  const named = ([purpose, rest]) => ({ name: `${prefixOf(client)}${purpose}`, ...rest });
  return { topics: Object.entries(TOPICS).map(named), groups: Object.entries(GROUPS).map(named) };
}
