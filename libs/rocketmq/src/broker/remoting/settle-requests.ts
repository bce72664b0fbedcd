// Requests that settle what was popped: acknowledgements (200051, 200151), and changes of the time for which it is invisible (200053).

import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { type AdminAnswer, AdminRejection, numberIn, rejected, SUCCESS } from '../admin/admin-answer.js';
import { Rejection } from '../engine/rejection.js';
import { type GroupRecord, keys, type TopicRecord } from '../store/records.js';
import { asPopped, markIn, markOf, type PoppedRef, receiptHandleOf, wasOrdered } from './pop-handles.js';
import { leaseOf } from './pop-requests.js';
import { PoppedMessages } from './popped-messages.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import { countIn, objectIn, objectsIn, textIn } from './request-body.js';

/** The bytes of all offsets that one request acknowledges. */
const MAX_BIT_BYTES = 64 * 1024;
/** How many acknowledgements are done in one turn of the event loop. */
const MAX_AT_ONCE = 512;

/** A delivery in a request, and its group as it was popped. */
interface Named extends PoppedRef {
  readonly group: GroupRecord;
}

export class SettleRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.ackMessage, ({ fields }) => this.ack(fields)],
    [REQUEST_CODES.batchAckMessage, (request) => this.ackAll(request)],
    [REQUEST_CODES.changeMessageInvisibleTime, ({ fields }) => this.change(fields)],
  ];

  private readonly popped: PoppedMessages;

  constructor(private readonly broker: RemotingContext) {
    this.popped = new PoppedMessages(broker);
  }

  /** As on the server, the answer does not show whether the delivery had ended. @see AckMessageRequestHeader of the server */
  private async ack(fields: RemotingFrame['fields']): Promise<AdminAnswer> {
    const named = this.namedIn(fields);
    if (named !== undefined) this.settle(named);
    await this.broker.store.flush();
    return SUCCESS;
  }

  /** @see BatchAckMessageRequestBody of the server */
  private async ackAll(request: RemotingFrame): Promise<AdminAnswer> {
    const acks = objectsIn(objectIn(request).acks);
    if (acks.length === 0) throw new AdminRejection(RESPONSE_CODES.noMessage, 'there is nothing to acknowledge');
    let bytes = 0;
    let begun = 0;
    for (const ack of acks) {
      const bits = Buffer.from(textIn(ack.b), 'base64');
      bytes += Math.max(1, bits.length);
      if (bytes > MAX_BIT_BYTES) {
        throw rejected(
          `the acknowledged offsets take more than ${MAX_BIT_BYTES} bytes; those before were acknowledged`,
        );
      }
      for (const named of this.entriesOf(ack, bits)) {
        this.settle(named);
        if (++begun % MAX_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await this.broker.store.flush();
    return SUCCESS;
  }

  private *entriesOf(ack: Readonly<Record<string, unknown>>, bits: Buffer): Iterable<Named> {
    const topic = textIn(ack.t);
    const [queueId, start, mark] = [countIn(ack.q), countIn(ack.so), countIn(ack.rq)];
    const group = this.broker.engine.findGroup(textIn(ack.c));
    if (group === undefined || queueId === undefined || start === undefined || mark === undefined) return;
    const queue = { topic, group: group.name, queueId };
    for (const [index, byte] of bits.entries()) {
      for (let bit = 0; byte >> bit > 0; bit++) {
        if (((byte >> bit) & 1) === 1)
          yield { queue, offset: start + 8 * index + bit, mark, group: groupAt(group, mark) };
      }
    }
  }

  /** @see ChangeInvisibleTimeRequestHeader of the server */
  private async change(fields: RemotingFrame['fields']): Promise<AdminAnswer> {
    const invisibleMs = leaseOf(fields);
    const named = this.namedIn(fields);
    const receiptHandle = named && receiptHandleOf(this.broker.store, named);
    if (named === undefined || receiptHandle === undefined) throw ended();
    const { engine, clock, store } = this.broker;
    const change = {
      topic: named.queue.topic,
      group: named.group,
      receiptHandle,
      nowMs: clock.nowMs(),
      invisibleMs,
      suspend: fields.suspend === 'true',
    };
    const renewed = orUndefined(() => engine.changeInvisible(change));
    if (renewed === undefined) throw ended();
    await store.flush();
    return { ...SUCCESS, fields: this.popped.times(invisibleMs, markOf(renewed, wasOrdered(named.mark))) };
  }

  private settle(named: Named): void {
    const { engine, store, clock } = this.broker;
    const receiptHandle = receiptHandleOf(store, named);
    if (receiptHandle === undefined) return;
    const { queue, group } = named;
    orUndefined(() => engine.ack({ topic: queue.topic, group, receiptHandle, nowMs: clock.nowMs() }));
  }

  /** @returns undefined for a group without deliveries, and for what no broker handed out @throws AdminRejection */
  private namedIn(fields: RemotingFrame['fields']): Named | undefined {
    const topic = this.broker.engine.findTopic(fields.topic ?? '');
    if (topic === undefined) {
      throw new AdminRejection(RESPONSE_CODES.topicNotExist, `topic[${fields.topic}] not exist, apply first please!`);
    }
    const queueId = this.queueIn(topic, fields);
    const offset = numberIn(fields, 'offset');
    const { store, engine } = this.broker;
    const group = engine.findGroup(fields.consumerGroup ?? '');
    const end = (store.get(keys.end(topic.name, queueId)) as number | undefined) ?? 0;
    const begin = (store.get(keys.begin(topic.name, queueId)) as number | undefined) ?? 0;
    if (offset < begin || offset >= end) {
      const message = `offset is illegal, key:${topic.name}@${queueId}, commit:${offset}, store:${begin}~${end}`;
      throw new AdminRejection(RESPONSE_CODES.noMessage, message);
    }
    const mark = markIn(fields.extraInfo ?? '');
    if (group === undefined || mark === undefined) return undefined;
    return { queue: { topic: topic.name, group: group.name, queueId }, offset, mark, group: groupAt(group, mark) };
  }

  private queueIn({ name, queues }: TopicRecord, fields: RemotingFrame['fields']): number {
    const { liteTopic } = fields;
    const queueId = numberIn(fields, 'queueId');
    if (liteTopic) return (this.broker.store.get(keys.lite(name, liteTopic)) as number | undefined) ?? -1;
    if (queueId >= 0 && (queueId < queues || this.broker.store.get(keys.end(name, queueId)) !== undefined))
      return queueId;
    const message = `queueId[${queueId}] is illegal, topic:[${name}] topicConfig.readQueueNums:[${queues}]`;
    throw new AdminRejection(RESPONSE_CODES.messageIllegal, message);
  }
}

/** The group as the pop saw it. */
function groupAt(group: GroupRecord, mark: number): GroupRecord {
  return group.lite === undefined ? asPopped(group, wasOrdered(mark)) : group;
}

function ended(): AdminRejection {
  const message = 'the delivery has ended: the message is settled, or was delivered again; nothing was changed';
  return new AdminRejection(RESPONSE_CODES.noMessage, message);
}

/** @returns undefined for a delivery that has ended */
function orUndefined<T>(command: () => T): T | undefined {
  try {
    return command();
  } catch (error) {
    if (error instanceof Rejection && error.reason === 'dead-handle') return undefined;
    throw error;
  }
}
