// What every interop program finds on its broker: the same topics and consumer groups, on both backends. A program reaches
// them by purpose; the prefix keeps programs apart that share a broker.

import type { BrokerUser, GroupDeclaration, TopicDeclaration } from 'nestjs-rocketmq/broker';

type TopicType = NonNullable<TopicDeclaration['type']>;

/** The clients that send and receive, and the official admin tools. */
const MESSAGING = ['java', 'node', 'python', 'go'];
const TOOLS = 'tools';
/** The step of the programs under which their broker is killed; it needs one of its own time, after all others. */
export const KILLS = 'kills';
/** Clients of all kinds together. */
export const MIXED = 'mixed';
/** The clients of the remoting protocol: they need the name server only. */
export const REMOTING = ['java-4', 'java-5', 'go-2'];
const REMOTING_STEPS = ['transactions', 'retries', 'delay', 'send', 'tags', 'sql', 'order', 'sharing', 'broadcast'].map(
  (step) => `remoting-${step}`,
);
/** Consumers that pop by the remoting protocol. */
const POP = 'remoting-pop';
/** An operator moves the group of a consumer that pulls. */
const RESET = 'remoting-reset';
/** Request and reply. The Go client of this version sends answers without their body. */
const REQUESTS = 'remoting-requests';
/** On a broker that asks for credentials, which is one of its own. */
export const ACCESS = 'remoting-access';
/** The Go client has none. */
const TLS = 'remoting-tls';
const MIXED_STEPS = ['mixed-group', 'mixed-order', 'mixed-properties', 'mixed-transactions'];
/** Steps that not all of those have. */
const STEPS_OF_SOME: Record<string, readonly string[]> = {
  [KILLS]: ['java', 'node', 'java-4', 'java-5'],
  administration: [TOOLS],
  ...Object.fromEntries(REMOTING_STEPS.map((step) => [step, REMOTING])),
  [POP]: ['java-5'],
  [TLS]: ['java-4', 'java-5'],
  [RESET]: ['java-4', 'java-5'],
  [REQUESTS]: ['java-4', 'java-5'],
  [ACCESS]: REMOTING,
  ...Object.fromEntries(MIXED_STEPS.map((step) => [step, [MIXED]])),
};

/** Each client has its own gap: the Node client knows no customized backoff, the Python client no exponential one. */
const EXPONENTIAL: GroupDeclaration['backoff'] = { kind: 'exponential', initialMs: 1000, maxMs: 1000, multiplier: 1 };
const CUSTOMIZED: GroupDeclaration['backoff'] = { kind: 'customized', nextMs: [1000] };

const TOPICS: Record<string, { type: TopicType; queues?: number }> = {
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
  kills: { type: 'normal' },
  'kills-order': { type: 'fifo', queues: 1 },
};

/** `isQuick`: retried after 1 s. */
const GROUPS: Record<string, { fifo?: boolean; maxDeliveryAttempts?: number; isQuick?: boolean }> = {
  simple: {},
  large: {},
  leases: {},
  'tags-some': {},
  'tags-all': {},
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((number) => [`sql-${number}`, {}])),
  push: { isQuick: true },
  'long-handler': {},
  order: { fifo: true, isQuick: true },
  'order-leases': { fifo: true },
  'order-retries': { fifo: true, maxDeliveryAttempts: 2, isQuick: true },
  'order-retries-dead': {},
  retries: { maxDeliveryAttempts: 2, isQuick: true },
  'retries-dead': {},
  delay: {},
  recall: {},
  priority: {},
  transactions: {},
  shutdown: {},
  kills: { isQuick: true },
  'kills-order': { fifo: true, isQuick: true },
};

/** One client with each of the others, both ways. */
const PAIRS = [0, 1, 2, 3, 4, 5];
const MIXED_TOPICS: Record<string, { type: TopicType; queues?: number }> = {
  'mixed-group': { type: 'normal' },
  'mixed-order': { type: 'fifo', queues: 4 },
  'mixed-properties': { type: 'normal' },
  'mixed-delay': { type: 'delay' },
  'mixed-gzip': { type: 'normal' },
  'mixed-zlib': { type: 'normal' },
  ...Object.fromEntries(PAIRS.map((pair) => [`mixed-transactions-${pair}`, { type: 'transaction' }])),
};
const READERS = ['direct', 'proxied', 'node', 'java'];
const MIXED_GROUPS: typeof GROUPS = {
  'mixed-group': {},
  'mixed-order': { fifo: true },
  'mixed-order-java': {},
  ...Object.fromEntries(PAIRS.map((pair) => [`mixed-transactions-${pair}`, {}])),
  ...Object.fromEntries(
    ['mixed-properties', 'mixed-delay', 'mixed-gzip', 'mixed-zlib'].flatMap((topic) =>
      READERS.map((reader) => [`${topic}-${reader}`, {}]),
    ),
  ),
};

const REMOTING_TOPICS: typeof MIXED_TOPICS = {
  'remoting-send': { type: 'normal' },
  'remoting-tags': { type: 'normal' },
  'remoting-sql': { type: 'normal' },
  'remoting-delay': { type: 'delay' },
  'remoting-order': { type: 'fifo', queues: 4 },
  'remoting-retries': { type: 'normal' },
  'remoting-sharing': { type: 'normal', queues: 4 },
  'remoting-broadcast': { type: 'normal' },
  [TLS]: { type: 'normal' },
  'remoting-kills': { type: 'normal', queues: 4 },
  [POP]: { type: 'normal' },
  [RESET]: { type: 'normal' },
  [REQUESTS]: { type: 'normal' },
  [ACCESS]: { type: 'normal' },
  'remoting-access-other': { type: 'normal' },
  'remoting-transactions': { type: 'transaction' },
};
const REMOTING_GROUPS: typeof GROUPS = Object.fromEntries(
  [...Object.keys(REMOTING_TOPICS), 'remoting-sql-invalid', 'remoting-retries-dead'].map((group) => [group, {}]),
);

/** What a program does, each a transcript of its own, in the order of their starts. A program that skips one fails. */
export const STEPS = [
  'long-handler',
  'send',
  'simple',
  'large',
  'leases',
  'tags',
  'sql',
  'push',
  'order',
  'order-leases',
  'order-retries',
  'retries',
  'delay',
  'recall',
  'priority',
  'transactions',
  'shutdown',
  'administration',
  ...REMOTING_STEPS,
  POP,
  TLS,
  RESET,
  REQUESTS,
  ACCESS,
  ...MIXED_STEPS,
  KILLS,
];

/** @returns those that the client's program has */
export function stepsOf(client: string, steps: readonly string[]): string[] {
  return steps.filter((step) => (STEPS_OF_SOME[step] ?? MESSAGING).includes(client));
}

/** @param client such as `java` */
export function prefixOf(client: string): string {
  return `interop-${client}-`;
}

export function resourcesOf(client: string): {
  topics: { name: string; type: TopicType; queues?: number }[];
  groups: GroupDeclaration[];
} {
  if (client === TOOLS) return { topics: [], groups: [] };
  const prefix = prefixOf(client);
  const backoff = client === 'node' ? EXPONENTIAL : CUSTOMIZED;
  const [topics, groups] = declaredFor(client);
  return {
    topics: Object.entries(topics).map(([purpose, rest]) => ({ name: `${prefix}${purpose}`, ...rest })),
    groups: Object.entries(groups).map(([purpose, { isQuick, ...rest }]) => ({
      name: `${prefix}${purpose}`,
      ...rest,
      ...(isQuick && { backoff }),
    })),
  };
}

/** The user that may do all. */
export const ADMINISTRATOR = { accessKey: 'administrator', secretKey: 'secret of the administrator' };

/** Those of the step for access. The programs know their keys. */
export function usersOf(client: string): BrokerUser[] {
  const prefix = prefixOf(client);
  const topic = `Topic:${prefix}${ACCESS}`;
  const group = `Group:${prefix}${ACCESS}`;
  return [
    {
      accessKey: `${prefix}writer`,
      secretKey: 'secret of the writer',
      permissions: [{ resource: topic, actions: ['Pub'] }],
    },
    {
      accessKey: `${prefix}reader`,
      secretKey: 'secret of the reader',
      permissions: [
        { resource: topic, actions: ['Sub', 'Get'] },
        { resource: group, actions: ['Sub', 'Get'] },
      ],
    },
  ];
}

function declaredFor(client: string): [topics: typeof MIXED_TOPICS, groups: typeof GROUPS] {
  if (client === MIXED) return [MIXED_TOPICS, MIXED_GROUPS];
  return REMOTING.includes(client) ? [REMOTING_TOPICS, REMOTING_GROUPS] : [TOPICS, GROUPS];
}
