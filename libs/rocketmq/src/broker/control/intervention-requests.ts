// The commands of the control port: deliver a message now or again, and faults. They call the engine and never change the clock.

import { UsageError } from '../../support/errors.js';
import type { DelayedRef } from '../engine/interventions.js';
import { ALWAYS, messagesById } from '../engine/message-index.js';
import { Rejection } from '../engine/rejection.js';
import type { PendingFault } from '../services/faults.js';
import type { LogPosition, TopicPosition } from '../store/records.js';
import { SAME_TIME } from '../time/client-time.js';
import { storedHandleOf } from '../time/derived-handles.js';
import type { ControlContext } from './control-context.js';
import { connectionChoiceOf, connectionFaultOf, type Fields, faultRuleOf } from './control-input.js';
import { ControlRejection, illegal } from './control-rejection.js';
import type { DeliveredAgainState, DeliveredNow, FaultList } from './control-views.js';

/** The maximum number of messages with one id that a request delivers again. */
const MAX_PER_ID = 32;
const ANY_NUMBER = { from: 0, to: Number.MAX_SAFE_INTEGER };

export class InterventionRequests {
  constructor(private readonly broker: ControlContext) {}

  /** By `recallHandle`, or by `topic` and `messageId`. */
  async deliverNow(fields: Fields): Promise<DeliveredNow> {
    const { store, travel } = this.broker;
    const recallHandle = fields.text('recallHandle');
    const ref =
      recallHandle === undefined
        ? { topic: fields.requiredName('topic'), messageId: fields.requiredText('messageId') }
        : { recallHandle: storedHandleOf(store, travel?.clientTime ?? SAME_TIME, recallHandle) };
    fields.end();
    const delivered = this.deliverDelayed(ref);
    if (delivered.length === 0) {
      const message =
        'no such delayed message is waiting: it was delivered, recalled, or never sent; nothing was changed';
      throw new ControlRejection(404, 'NOT_WAITING', message);
    }
    await store.flush();
    return { delivered };
  }

  /** To one group: by `topic` and `messageId`, or by `topic`, `queueId` and `offset`. */
  async deliverAgain(fields: Fields): Promise<DeliveredAgainState> {
    const [groupName, topic] = [fields.requiredName('group'), fields.requiredName('topic')];
    const places = this.placesOf(topic, fields);
    fields.end();
    const { engine, clock, store } = this.broker;
    if (engine.findTopic(topic) === undefined)
      throw new ControlRejection(404, 'UNKNOWN_TOPIC', `topic "${topic}" does not exist; nothing was changed`);
    const group = engine.findGroup(groupName);
    if (group === undefined)
      throw new ControlRejection(404, 'UNKNOWN_GROUP', `group "${groupName}" does not exist; nothing was changed`);
    const nowMs = clock.nowMs();
    const results = places.flatMap((place): DeliveredAgainState['results'][number][] => {
      const done = engine.interventions.deliverAgain(group, { topic, ...place }, nowMs);
      if (done.kind === 'gone') return [];
      if (done.kind !== 'held') return [{ topic, ...place, outcome: done.kind }];
      const holder = done.holder && { holder: done.holder };
      return [{ topic, ...place, outcome: 'held', heldUntilMs: done.untilMs, ...holder }];
    });
    if (results.length === 0) {
      const message = `topic "${topic}" has no such message; only messages stored since the control port was enabled are found by id`;
      throw new ControlRejection(404, 'UNKNOWN_MESSAGE', message);
    }
    if (results.every(({ outcome }) => outcome === 'held')) {
      const message = `a consumer of group "${groupName}" holds the message, or another one of its ordered queue, until ${results[0]?.heldUntilMs}; nothing was changed`;
      throw new ControlRejection(409, 'MESSAGE_HELD', message);
    }
    await store.flush();
    return { results };
  }

  listFaults(): FaultList {
    return { items: this.broker.faults.list() };
  }

  /** A fault of an RPC; without `rpc`, connections are refused. */
  addFault(fields: Fields): PendingFault {
    const { faults } = this.broker;
    const isForRpc = fields.has('rpc') || fields.has('action');
    const { id } = asRejection(() =>
      isForRpc ? faults.add(faultRuleOf(fields)) : faults.refuseConnections(connectionFaultOf(fields)),
    );
    return faults.list().find((fault) => fault.id === id) as PendingFault;
  }

  /** Removes one fault by its `id`, or all. */
  clearFaults(fields: Fields): FaultList {
    const id = fields.count('id', ANY_NUMBER);
    fields.end();
    const { faults } = this.broker;
    if (id === undefined) faults.clear();
    else if (!faults.remove(id))
      throw new ControlRejection(404, 'UNKNOWN_FAULT', `there is no scheduled fault ${id}; it may have ended`);
    return this.listFaults();
  }

  /** Immediately cuts streams, connections or settings (`what`), optionally of one client or port. */
  cut(fields: Fields): Record<string, never> {
    const { faults } = this.broker;
    const what = fields.requiredText('what');
    if (what === 'connections') {
      faults.cutConnections(connectionChoiceOf(fields));
      return {};
    }
    const clientId = fields.text('clientId');
    fields.end();
    if (what === 'streams') faults.cutStreams(clientId);
    else if (what === 'settings') faults.loseSettings(clientId);
    else throw illegal('what', 'must be one of streams, connections, settings');
    return {};
  }

  private deliverDelayed(ref: DelayedRef): TopicPosition[] {
    try {
      return this.broker.engine.interventions.deliverNow(ref, this.broker.clock.nowMs());
    } catch (error) {
      if (error instanceof Rejection)
        throw new ControlRejection(400, 'ILLEGAL_RECALL_HANDLE', 'the recall handle was not issued by this broker');
      throw error;
    }
  }

  private placesOf(topic: string, fields: Fields): LogPosition[] {
    const messageId = fields.text('messageId');
    if (messageId === undefined) {
      return [
        { queueId: fields.requiredCount('queueId', ANY_NUMBER), offset: fields.requiredCount('offset', ANY_NUMBER) },
      ];
    }
    return messagesById(this.broker.store, { topic, messageId, limit: MAX_PER_ID, ...ALWAYS }).map(
      ({ queueId, offset }) => ({
        queueId,
        offset,
      }),
    );
  }
}

/** @throws ControlRejection for what the broker itself rejects */
function asRejection<T>(command: () => T): T {
  try {
    return command();
  } catch (error) {
    if (error instanceof UsageError) throw new ControlRejection(400, 'ILLEGAL_ARGUMENT', error.message);
    throw error;
  }
}
