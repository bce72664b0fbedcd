// The requests by which a broker hands out messages.

import { durationMs } from '../protocol/grpc/duration.js';
import { FilterType } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest } from '../protocol/grpc/rpc.js';
import { LIMITS } from '../protocol/model/limits.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingRequest } from '../remoting/remoting-request.js';
import type { Poll } from './popped-messages.js';

type Request = RpcRequest<'receiveMessage'>;

/** New groups start where the proxy starts them: at the end, but at the first message of a queue that is young. */
const FROM_THE_END = '1';
const ALL_QUEUES = '-1';

/** @param bornTime when the poll begins, by the clock of the broker @param count how many messages it may bring */
export function pop(poll: Poll, bornTime: string, request: Request, count: number): RemotingRequest {
  const { filter } = poll;
  const fields = {
    ...popFields(poll, bornTime, request),
    queueId: ALL_QUEUES,
    maxMsgNums: String(countOf(count)),
    initMode: FROM_THE_END,
    expType: filter?.type === FilterType.SQL ? 'SQL92' : 'TAG',
    exp: filter?.expression || '*',
    order: String(poll.isOrdered),
  };
  return { code: REQUEST_CODES.popMessage, fields };
}

/** The broker knows which lite topics the client subscribes to. */
export function litePop(clientId: string, poll: Poll, bornTime: string, request: Request): RemotingRequest {
  const fields = { ...popFields(poll, bornTime, request), clientId, maxMsgNum: String(countOf(request.batchSize)) };
  return { code: REQUEST_CODES.popLiteMessage, fields };
}

/** What polls of both kinds have. */
function popFields(
  { consumerGroup, topic, invisibleMs }: Poll,
  bornTime: string,
  request: Request,
): Record<string, string> {
  const pollTime = String(pollMsOf(request));
  const fields = { consumerGroup, topic, invisibleTime: String(invisibleMs), pollTime, bornTime };
  return request.attemptId === undefined ? fields : { ...fields, attemptId: request.attemptId };
}

/** How long a poll may wait for messages. */
export function pollMsOf({ longPollingTimeout }: Request): number {
  const askedMs = longPollingTimeout === undefined ? 0 : durationMs(longPollingTimeout);
  return Math.max(LIMITS.longPollingMinMs, Math.min(askedMs, LIMITS.longPollingMaxMs));
}

/** How many messages a poll may bring. */
export function countOf(asked: number): number {
  return Math.max(1, Math.min(asked, LIMITS.receiveBatchSize));
}
