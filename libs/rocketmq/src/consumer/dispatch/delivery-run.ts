// One run of a handler for one message, as its delivery arranges it.

import type { MessageView } from '../../protocol/model/message.js';
import type { Abortable } from '../../support/abort-source.js';
import type { Clock } from '../../support/clock.js';
import type { MessageLease } from '../lease/message-lease.js';
import type { RunOptions } from '../listeners/handler-run.js';
import type { Listener } from '../listeners/message-listener.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { MessageHandler } from '../model/handler.js';
import type { GrantedTurn } from './listener-turns.js';

/** What a handler may use of its lease, its listener and its consumer while it runs. */
export class DeliveryRun implements RunOptions {
  constructor(
    private readonly view: MessageView,
    private readonly lease: MessageLease,
    private readonly listener: Listener,
    private readonly context: ConsumerContext,
    readonly forceSignal: Abortable,
    readonly turn: GrantedTurn,
  ) {}

  get handler(): MessageHandler {
    return this.listener.handler;
  }

  get timeoutMs(): number | undefined {
    return this.listener.handlerTimeoutMs;
  }

  get ioClock(): Clock {
    return this.context.ioClock;
  }

  get lostSignal(): Abortable {
    return this.lease.lostSignal;
  }

  get limitSignal(): Abortable | undefined {
    return this.turn.lost;
  }

  isTooLate(): boolean {
    return this.lease.isInDoubt;
  }

  onLost(): void {
    this.context.report.leaseLost(this.view);
  }

  onIgnoredSignal(): void {
    this.context.report.handlerIgnoredItsSignal(this.view);
  }
}
