// Requests about the queues of a group that pulls: its positions (15), and the locks of ordered groups (41, 42).

import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { MINUTE_MS } from '../../support/clock.js';
import { type AdminAnswer, AdminRejection, answerWith, numberIn, SUCCESS } from '../admin/admin-answer.js';
import type { OffsetResets } from '../admin/offset-resets.js';
import { BROKER_NAME } from '../engine/server-names.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import { objectIn, objectsIn } from './request-body.js';

/** A lock that was not taken again for so long is free. @see RebalanceLockManager of the server */
const LOCK_MS = MINUTE_MS;

/** A queue as clients name it. */
interface NamedQueue {
  readonly topic: string;
  readonly brokerName: string;
  readonly queueId: number;
}

interface Lock {
  readonly clientId: string;
  /** In real time, by which consumers take their locks again. */
  readonly untilMs: number;
  /** In business time, for a consumer that has gone. */
  readonly untilBusinessMs: number;
}

export class QueueRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.updateConsumerOffset, ({ fields }) => this.commit(fields)],
    [REQUEST_CODES.lockBatchMq, (request) => this.lock(request)],
    [REQUEST_CODES.unlockBatchMq, (request) => this.unlock(request)],
  ];

  /** In memory only, as on the server: after a restart all are free. */
  private readonly locks = new Map<string, Map<string, Lock>>();

  constructor(
    private readonly broker: RemotingContext,
    private readonly resets: OffsetResets,
  ) {}

  /** Whether consumers of the group hold queues, as those of an ordered one do. */
  hasLocks(group: string): boolean {
    return [...(this.locks.get(group)?.values() ?? [])].some((lock) => this.holds(group, lock));
  }

  /** Takes any offset, backwards and beyond the end too, as the server does. It is not waited for: clients report their positions again and again. */
  private commit(fields: RemotingFrame['fields']): AdminAnswer {
    const { consumerGroup: group = '', topic = '' } = fields;
    const { engine } = this.broker;
    const queue = { group, topic, queueId: numberIn(fields, 'queueId') };
    const offset = numberIn(fields, 'commitOffset');
    const record = engine.findTopic(topic);
    if (record === undefined) throw new AdminRejection(RESPONSE_CODES.topicNotExist, `Topic ${topic} not exist!`);
    if (engine.findGroup(group) === undefined) {
      throw new AdminRejection(RESPONSE_CODES.subscriptionGroupNotExist, `Group ${group} not exist!`);
    }
    if (queue.queueId < 0 || queue.queueId >= record.queues) {
      throw new AdminRejection(RESPONSE_CODES.systemError, `queueId ${queue.queueId} is illegal, nothing was stored`);
    }
    if (this.resets.has(queue)) return { ...SUCCESS, remark: 'Offset has been previously reset' };
    engine.administration.commitOffset(queue, offset);
    return SUCCESS;
  }

  /** @see LockBatchRequestBody of the server */
  private lock(request: RemotingFrame): AdminAnswer {
    const { group, clientId, queues } = this.asked(request);
    const { realClock, clock } = this.broker;
    const [untilMs, untilBusinessMs] = [realClock.nowMs() + LOCK_MS, clock.nowMs() + LOCK_MS];
    const locks = this.locks.get(group) ?? new Map<string, Lock>();
    const lockOKMQSet = queues.filter((queue) => {
      const lock = locks.get(nameOf(queue));
      if (lock !== undefined && lock.clientId !== clientId && this.holds(group, lock)) return false;
      locks.set(nameOf(queue), { clientId, untilMs, untilBusinessMs });
      return true;
    });
    if (locks.size > 0) this.locks.set(group, locks);
    return answerWith({ lockOKMQSet });
  }

  /** Moving the time takes no queue from a consumer that is there: it could not take its lock again in between. */
  private holds(group: string, { clientId, untilMs, untilBusinessMs }: Lock): boolean {
    const { realClock, clock, clients } = this.broker;
    if (realClock.nowMs() >= untilMs) return false;
    return clock.nowMs() < untilBusinessMs || clients.consumersOf(group).some((one) => one.clientId === clientId);
  }

  /** The lock of another client stays. */
  private unlock(request: RemotingFrame): AdminAnswer {
    const { group, clientId, queues } = this.asked(request);
    const locks = this.locks.get(group);
    for (const queue of queues) {
      if (locks?.get(nameOf(queue))?.clientId === clientId) locks.delete(nameOf(queue));
    }
    if (locks?.size === 0) this.locks.delete(group);
    return SUCCESS;
  }

  /** Queues that there are, so that nobody can fill the memory with others. */
  private asked(request: RemotingFrame) {
    const { consumerGroup, clientId, mqSet } = objectIn(request);
    const group = String(consumerGroup);
    const { engine } = this.broker;
    const isKnown = engine.findGroup(group) !== undefined;
    const queues = (isKnown ? (objectsIn(mqSet) as Partial<NamedQueue>[]) : []).filter(
      (one): one is NamedQueue =>
        one.brokerName === BROKER_NAME &&
        typeof one.topic === 'string' &&
        Number.isInteger(one.queueId) &&
        Number(one.queueId) >= 0 &&
        Number(one.queueId) < (engine.findTopic(one.topic)?.queues ?? 0),
    );
    return { group, clientId: String(clientId), queues };
  }
}

function nameOf({ topic, queueId }: NamedQueue): string {
  return `${topic} ${queueId}`;
}
