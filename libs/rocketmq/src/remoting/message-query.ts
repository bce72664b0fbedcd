// The request that finds the messages of a topic by their id or a key.

import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingRequest } from './remoting-request.js';

/** Java's largest long. */
const END_OF_TIME = '9223372036854775807';

/** What is sought, and how many of it at most. Times are those of storage. */
interface IndexQuery {
  readonly topic: string;
  readonly sought: string;
  readonly isId: boolean;
  readonly limit: number;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/** The index goes by hash codes, so what is found may belong to another topic, id or key. @see QueryMessageRequestHeader of the server */
export function indexQuery({ topic, sought, isId, limit, from, to }: IndexQuery): RemotingRequest {
  const fields = {
    topic,
    key: sought,
    maxNum: String(limit),
    beginTimestamp: String(from?.getTime() ?? 0),
    endTimestamp: String(to?.getTime() ?? END_OF_TIME),
    ...(isId && { _UNIQUE_KEY_QUERY: 'true' }),
  };
  return { code: REQUEST_CODES.queryMessage, fields };
}
