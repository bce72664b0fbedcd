// The structure of the error catalogue.

import type { World } from '../support/world.js';

/** The condition, the expected code, the request, and the prefixes of the messages of the status and its entries, which programs may match. */
export type Row = readonly [
  condition: string,
  expected: string,
  ask: (world: World) => Promise<string>,
  ...words: readonly string[],
];

/** Messages of the real server that several RPCs return. */
export const WORDS = {
  noTopic: 'CODE: 17  DESC: No topic route info in name server for the topic: ',
  blankTopic: 'The specified topic is blank',
  illegalTopic: 'The specified topic[a b] contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$',
  longTopic: 'The specified topic is longer than topic max length 127.',
  systemTopic: 'cannot access system topic',
  blankGroup: 'the specified group is blank',
  illegalGroup: 'the specified group[a b] contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$',
  systemGroup: 'cannot use system consumer group',
  noGroup: 'group not found: ',
  noClientId: 'client id cannot be empty',
  noSettings: 'cannot find client settings for this client',
  deadHandle: 'receipt handle is expired',
  shortLease: 'the invisibleTime is too small. min is ',
  longLease: 'the invisibleTime is too large. max is 43200000',
  wrongType: 'TopicMessageType validate failed, the expected type is ',
} as const;

/** The rows by RPC. */
export type Catalogue = Readonly<Record<string, readonly Row[]>>;
