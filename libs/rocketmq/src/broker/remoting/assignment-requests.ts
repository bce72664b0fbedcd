// Requests by which clients let the broker divide the queues of a group (400), and operators choose whether the group pulls or pops (401).

import { RETRY_PREFIX } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { type AdminAnswer, AdminRejection, answerWith, rejected, SUCCESS } from '../admin/admin-answer.js';
import { groupNameOf } from '../admin/group-config.js';
import { BROKER_NAME } from '../engine/server-names.js';
import type { ConsumeMode } from '../store/records.js';
import { consumingGroup } from './pop-requests.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import { objectIn, textIn } from './request-body.js';

/** What a client gets of the queues, by the names of the strategies that the server has. */
const STRATEGIES: ReadonlyMap<string, (queues: number, index: number, clients: number) => number[]> = new Map([
  ['AVG', inBlocks],
  ['AVG_BY_CIRCLE', inTurns],
]);

const PULLS: ConsumeMode = { mode: 'PULL', popShareQueueNum: -1 };
const ALL_QUEUES = -1;

export class AssignmentRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.queryAssignment, (request) => this.assign(request)],
    [REQUEST_CODES.setMessageRequestMode, (request) => this.setMode(request)],
  ];

  constructor(private readonly broker: RemotingContext) {}

  /** @see QueryAssignmentRequestBody of the server, which answers without assignments what it cannot divide */
  private assign(request: RemotingFrame): AdminAnswer {
    const body = objectIn(request);
    const [topic, group] = [textIn(body.topic), textIn(body.consumerGroup)];
    const queues = this.broker.engine.findTopic(topic)?.queues;
    const { mode, popShareQueueNum } = this.broker.engine.administration.consumeMode(group, topic) ?? PULLS;
    const ids =
      queues === undefined
        ? undefined
        : body.messageModel === 'BROADCASTING'
          ? range(queues)
          : this.share(queues, group, textIn(body.clientId), textIn(body.strategyName), { mode, popShareQueueNum });
    const messageQueueAssignments = ids?.map((queueId) => {
      return { messageQueue: { topic, brokerName: BROKER_NAME, queueId }, mode, attachments: null };
    });
    return answerWith({ messageQueueAssignments: messageQueueAssignments ?? null });
  }

  private share(
    queues: number,
    group: string,
    clientId: string,
    strategy: string,
    { mode, popShareQueueNum }: ConsumeMode,
  ): number[] | undefined {
    const clients = [...new Set(this.broker.clients.consumersOf(group).map((one) => one.clientId))].sort();
    const share = STRATEGIES.get(strategy);
    if (clients.length === 0 || share === undefined) return undefined;
    const shared = mode === 'POP' ? popShareQueueNum : 0;
    if (mode === 'POP' && (shared <= 0 || shared >= clients.length - 1)) return [ALL_QUEUES];
    const index = clients.indexOf(clientId);
    if (index < 0) return [];
    // With more clients than queues each one pops one, all the same.
    if (mode === 'POP' && clients.length > queues) return [index % queues];
    const others = range(shared + 1).map((distance) => (index + distance) % clients.length);
    return [...new Set(others.flatMap((one) => share(queues, one, clients.length)))];
  }

  /** @see SetMessageRequestModeRequestBody of the server */
  private async setMode(request: RemotingFrame): Promise<AdminAnswer> {
    const body = objectIn(request);
    const topic = textIn(body.topic);
    if (topic.startsWith(RETRY_PREFIX))
      throw new AdminRejection(RESPONSE_CODES.noPermission, 'retry topic is not allowed to set mode');
    const group = groupNameOf(body.consumerGroup);
    const { engine, store } = this.broker;
    const { mode = 'PULL', popShareQueueNum = 0 } = body;
    if (mode !== 'PULL' && mode !== 'POP') throw rejected('mode must be PULL or POP; nothing was changed');
    if (!Number.isInteger(popShareQueueNum)) throw rejected('popShareQueueNum must be an integer; nothing was changed');
    if (engine.findTopic(topic) === undefined)
      throw new AdminRejection(RESPONSE_CODES.topicNotExist, `topic[${topic}] not exist, apply first please!`);
    consumingGroup(this.broker, group);
    engine.administration.setConsumeMode(group, topic, { mode, popShareQueueNum: Number(popShareQueueNum) });
    await store.flush();
    return SUCCESS;
  }
}

/** @see AllocateMessageQueueAveragely of the Java client */
function inBlocks(queues: number, index: number, clients: number): number[] {
  const rest = queues % clients;
  const size = queues <= clients ? 1 : Math.floor(queues / clients) + (rest > 0 && index < rest ? 1 : 0);
  const start = rest > 0 && index < rest ? index * size : index * size + rest;
  return range(Math.max(0, Math.min(size, queues - start))).map((one) => start + one);
}

/** @see AllocateMessageQueueAveragelyByCircle of the Java client */
function inTurns(queues: number, index: number, clients: number): number[] {
  return range(queues).filter((queueId) => queueId % clients === index);
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
