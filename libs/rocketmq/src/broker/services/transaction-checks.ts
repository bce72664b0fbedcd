// Sends transaction checks to producers over their telemetry streams.

import type { ScheduledTask } from '../../support/clock.js';
import type { DueCheck } from '../engine/transactions.js';
import { type BrokerContext, storeHostOf } from './broker-context.js';
import { toCheckedMessage } from './wire-messages.js';

/** Producers by gRPC send no response for UNKNOWN, so after this long in real time a check no longer counts as activity. */
const SILENCE_MS = 40;
/** Those by remoting do. */
const REMOTING_SILENCE_MS = 500;

interface OpenCheck {
  readonly end: () => void;
  readonly timer: ScheduledTask;
}

/** Sends each check to the next producer of the topic. */
export class TransactionChecks {
  /** Asks a producer that does not use gRPC. @returns its client id, or undefined if there is none */
  askElsewhere: (check: DueCheck) => string | undefined = () => undefined;
  private readonly open = new Map<string, OpenCheck>();

  constructor(private readonly broker: BrokerContext) {}

  /** To a producer of the kind that sent the half message, if there is one. If none is connected, the check is not sent, but counts. */
  send(check: DueCheck): void {
    const { topic, transactionId, message } = check;
    if (message.remoting !== undefined && this.isAskedElsewhere(check)) return;
    const group = message.remoting?.properties.PGROUP ?? topic;
    // A producer by gRPC answers for its topics: proxies use their names as producer groups.
    const producer = group === topic ? this.broker.sessions.nextProducerOf(topic) : undefined;
    if (producer?.push === undefined) {
      if (message.remoting === undefined && this.isAskedElsewhere(check)) return;
      this.broker.logger.debug('no producer is connected to check a half message', { topic, transactionId });
      return;
    }
    this.track(check, producer.clientId, SILENCE_MS);
    const { clientTime } = this.broker;
    const storeHost = storeHostOf(this.broker.addresses());
    const asked = toCheckedMessage(check, { storeHost, clientTime });
    producer.push({
      command: { $case: 'recoverOrphanedTransactionCommand', value: { message: asked, transactionId } },
    });
  }

  /** The transaction was committed or rolled back. */
  answered(topic: string, transactionId: string): void {
    const name = nameOf(topic, transactionId);
    const check = this.open.get(name);
    this.open.delete(name);
    check?.timer.cancel();
    check?.end();
  }

  close(): void {
    for (const { end, timer } of this.open.values()) {
      timer.cancel();
      end();
    }
    this.open.clear();
  }

  private isAskedElsewhere(check: DueCheck): boolean {
    const clientId = this.askElsewhere(check);
    if (clientId !== undefined) this.track(check, clientId, REMOTING_SILENCE_MS);
    return clientId !== undefined;
  }

  private track({ topic, transactionId, times }: DueCheck, clientId: string, silenceMs: number): void {
    this.answered(topic, transactionId);
    const end = this.broker.activity.begin(`check ${times} of transaction ${transactionId}`, clientId);
    const timer = this.broker.realClock.schedule(silenceMs, () => this.answered(topic, transactionId));
    this.open.set(nameOf(topic, transactionId), { end, timer });
  }
}

function nameOf(topic: string, transactionId: string): string {
  return `${topic} ${transactionId}`;
}
