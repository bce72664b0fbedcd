// The answers to EndTransaction and RecallMessage.

import { HOUR_MS, SECOND_MS } from 'nestjs-rocketmq/client';
import { TransactionResolution } from '../../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { resource } from '../../../tools/wire/raw-grpc-client.js';
import { SERVER_SLACK_MS } from '../support/backend.js';
import { codeOf, delayedSent, halfSent } from '../support/question.js';
import type { World } from '../support/world.js';
import { type Catalogue, type Row, WORDS } from './rows.js';

const { COMMIT, TRANSACTION_RESOLUTION_UNSPECIFIED: UNSPECIFIED } = TransactionResolution;
const end =
  (fields: { transactionId?: string }, ...resolutions: TransactionResolution[]) =>
  async (world: World): Promise<string> => {
    const { client, end: request } = await halfSent(world);
    const codes: string[] = [];
    for (const resolution of resolutions) {
      codes.push(await codeOf(client, 'endTransaction', { ...request, ...fields, resolution, source: 1 }));
    }
    return codes.join(', ');
  };

const END_TRANSACTION_ROWS: readonly Row[] = [
  ['a commit', 'OK', end({}, COMMIT)],
  ['a second commit', 'OK, INTERNAL_SERVER_ERROR', end({}, COMMIT, COMMIT), 'cannot found transaction data'],
  [
    'no resolution, and a commit after it',
    'OK, INTERNAL_SERVER_ERROR',
    end({}, UNSPECIFIED, COMMIT),
    'cannot found transaction data',
  ],
  ['no transaction id', 'INVALID_TRANSACTION_ID', end({ transactionId: '' }, COMMIT), 'transaction id cannot be empty'],
  [
    'a blank transaction id',
    'INVALID_TRANSACTION_ID',
    end({ transactionId: ' ' }, COMMIT),
    'transaction id cannot be empty',
  ],
  [
    'a transaction that nobody began',
    'INTERNAL_SERVER_ERROR',
    end({ transactionId: 'unknown' }, COMMIT),
    'cannot found transaction data',
  ],
  [
    'no client id',
    'CLIENT_ID_REQUIRED',
    (world) => codeOf(world.rawClient(''), 'endTransaction', {}),
    WORDS.noClientId,
  ],
];

const recall =
  (recallHandle: (handle: string) => string, delayMs = HOUR_MS) =>
  async (world: World): Promise<string> => {
    const { client, topic, recallHandle: handle } = await delayedSent(world, delayMs);
    return codeOf(client, 'recallMessage', { topic, recallHandle: recallHandle(handle) });
  };
const rewritten = (change: (parts: string[]) => string[]) => (handle: string) =>
  Buffer.from(change(Buffer.from(handle, 'base64url').toString().split(' ')).join(' ')).toString('base64url');

const RECALL_MESSAGE_ROWS: readonly Row[] = [
  ['a delayed message', 'OK', recall((handle) => handle)],
  ['a message id that nobody sent', 'OK', recall(rewritten((parts) => [...parts.slice(0, 4), 'unknown']))],
  ['no handle', 'BAD_REQUEST', recall(() => '')],
  ['a text that is no handle', 'BAD_REQUEST', recall(() => 'no handle of this server')],
  ['a handle of another version', 'BAD_REQUEST', recall(rewritten((parts) => ['v9', ...parts.slice(1)]))],
  ['a handle of another topic', 'BAD_REQUEST', recall(rewritten(([v = '', , ...rest]) => [v, 'other', ...rest]))],
  [
    'a message that was due',
    'ILLEGAL_DELIVERY_TIME',
    async (world) => {
      const { client, topic, recallHandle } = await delayedSent(world, 2 * SECOND_MS);
      await world.backend.advanceDuringWork(2 * SECOND_MS + SERVER_SLACK_MS);
      return codeOf(client, 'recallMessage', { topic, recallHandle });
    },
  ],
  [
    'a topic that is not for delayed messages',
    'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
    async (world) => {
      const { client, recallHandle } = await delayedSent(world, HOUR_MS);
      return codeOf(client, 'recallMessage', { topic: resource(await world.topic()), recallHandle });
    },
    `${WORDS.wrongType}NORMAL, but actual type is DELAY`,
  ],
  [
    'an illegal topic',
    'ILLEGAL_TOPIC',
    (world) => codeOf(world.rawClient(), 'recallMessage', { topic: resource('a b') }),
    WORDS.illegalTopic,
  ],
  ['no client id', 'CLIENT_ID_REQUIRED', (world) => codeOf(world.rawClient(''), 'recallMessage', {}), WORDS.noClientId],
];

export const TRANSACTIONS_AND_RECALL: Catalogue = {
  EndTransaction: END_TRANSACTION_ROWS,
  RecallMessage: RECALL_MESSAGE_ROWS,
};
