// The answers to pops: the messages, and what their consumers need to settle them.

import { RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { encodeStoredMessage, type StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import { type AdminAnswer, SUCCESS } from '../admin/admin-answer.js';
import { storedFieldsOf } from '../admin/stored-fields.js';
import type { Delivery } from '../engine/deliveries.js';
import type { MessageEntry } from '../engine/views.js';
import { type DeliveryRecord, keys } from '../store/records.js';
import { kindOf, markOf } from './pop-handles.js';
import type { RemotingContext } from './remoting-context.js';

/** Of all messages of an answer. */
interface Popped {
  readonly leaseMs: number;
  readonly group: string;
  readonly isOrdered: boolean;
  /** How many messages of the topic the group has not received. */
  readonly restNum: number;
}

type Change = (fields: StoredMessageFields, delivery: Delivery) => StoredMessageFields;

export class PoppedMessages {
  constructor(private readonly broker: RemotingContext) {}

  /** @see PopMessageResponseHeader of the server */
  answer(deliveries: readonly Delivery[], { leaseMs, group, isOrdered, restNum }: Popped): AdminAnswer {
    const mark = markOf(deliveries[0]?.receiptHandle ?? '', isOrdered);
    const queues = new Map<string, Delivery[]>();
    for (const delivery of deliveries) {
      const key = `${kindOf(delivery.topic)} ${delivery.queueId}`;
      const found = queues.get(key);
      if (found === undefined) queues.set(key, [delivery]);
      else found.push(delivery);
    }
    const listed = [...queues];
    const offsets = listed.map(([key, found]) => [key, found.map(({ offset }) => offset)] as const);
    const fields: Record<string, string> = {
      ...this.times(leaseMs, mark),
      restNum: String(restNum),
      startOffsetInfo: offsets.map(([key, found]) => `${key} ${Math.min(...found)}`).join(';'),
      msgOffsetInfo: offsets.map(([key, found]) => `${key} ${found.join(',')}`).join(';'),
    };
    if (isOrdered) fields.orderCountInfo = listed.map(([key, found]) => countsOf(key, found)).join(';');
    return { ...SUCCESS, remark: 'FOUND', fields, body: this.bodyOf(deliveries, isOrdered ? undefined : group) };
  }

  /** Nothing was handed out. */
  peeked(entries: readonly MessageEntry[], restNum: number): AdminAnswer {
    const fields = { popTime: '0', invisibleTime: '0', reviveQid: '0', restNum: String(restNum) };
    if (entries.length === 0) return { code: RESPONSE_CODES.pullNotFound, remark: 'NO_MESSAGE_IN_QUEUE', fields };
    const { engine, clientTime } = this.broker;
    const place = { address: this.broker.address(), clientTime, engine };
    const body = Buffer.concat(entries.map((entry) => encodeStoredMessage(storedFieldsOf(entry, place))));
    return { ...SUCCESS, remark: 'FOUND', fields, body };
  }

  none(code: AdminAnswer['code'], leaseMs: number): AdminAnswer {
    const fields = { ...this.times(leaseMs, 0), restNum: '0' };
    return { code, remark: 'NO_MESSAGE_IN_QUEUE', fields };
  }

  times(leaseMs: number, mark: number): Record<string, string> {
    const { clock, clientTime } = this.broker;
    const popTime = String(Math.ceil(clientTime.toClient(clock.nowMs())));
    return { popTime, invisibleTime: String(leaseMs), reviveQid: String(mark) };
  }

  /** @param retryGroup the group whose retries the server stores as copies; undefined for ordered messages, which stay where they are */
  bodyOf(deliveries: readonly Delivery[], retryGroup: string | undefined, change: Change = (fields) => fields): Buffer {
    const { engine, clientTime } = this.broker;
    const place = { address: this.broker.address(), clientTime, engine };
    const bodies = deliveries.map((delivery) => {
      const stored = storedFieldsOf(delivery, place);
      const reconsumeTimes = delivery.attempt - 1;
      const isCopy = retryGroup !== undefined && reconsumeTimes > 0;
      const properties = isCopy ? this.asRetry(delivery, retryGroup, stored.properties) : stored.properties;
      return encodeStoredMessage(change({ ...stored, reconsumeTimes, properties }, delivery));
    });
    return Buffer.concat(bodies);
  }

  /** What the server adds to a copy for another attempt. */
  private asRetry(
    { topic, queueId, offset }: Delivery,
    group: string,
    properties: StoredMessageFields['properties'],
  ): StoredMessageFields['properties'] {
    const { store, clientTime } = this.broker;
    const record = store.get(keys.delivery({ topic, group, queueId }, offset)) as DeliveryRecord | undefined;
    const again = new Map([...properties, ['ORIGIN_GROUP', group]]);
    return record?.firstAtMs === undefined
      ? again
      : again.set('1ST_POP_TIME', String(clientTime.toClient(record.firstAtMs)));
  }
}

/** How often each message of an ordered queue was delivered before. @see ConsumerOrderInfoManager of the server */
function countsOf(key: string, deliveries: readonly Delivery[]): string {
  const [kind, queueId] = key.split(' ');
  const again = deliveries.filter(({ attempt }) => attempt > 1);
  const counts = again.map(({ offset, attempt }) => `${kind} qo${queueId}%${offset} ${attempt - 1}`);
  return [...counts, `${key} 0`].join(';');
}
