// Every kind of send, through the interceptors and into the pipeline.

import type { OutgoingMessage } from '../../protocol/model/message.js';
import type { Deadline } from '../../support/deadline.js';
import type { InterceptedSend, Interceptors } from './interceptors.js';
import type { SendPrepared } from './send-batch.js';
import type { DispatchOptions, HalfOptions, SendPipeline } from './send-pipeline.js';
import { receiptOf, type StoredMessage } from './send-receipt.js';

/** What all sends of a producer go through. */
export class Sender {
  constructor(
    private readonly pipeline: SendPipeline,
    private readonly interceptors: Interceptors,
  ) {}

  /** Sends a message. @param options `onAdmitted` of a one-way send @throws UsageError in this turn, else as a rejection */
  send(
    message: OutgoingMessage,
    kind: 'send' | 'oneway',
    deadline: Deadline,
    options?: DispatchOptions,
  ): Promise<StoredMessage> {
    // By far the most messages go this way, so nothing is made for them that is not needed.
    if (this.interceptors.areNone) return this.pipeline.dispatch(this.pipeline.prepare(message), deadline, options);
    return this.through(message, kind, deadline, async (given) =>
      this.pipeline.dispatch(this.pipeline.prepare(given), deadline, options),
    );
  }

  /**
   * Checks a message of a batch. With interceptors that has to wait until its turn, for they may change it.
   * @throws UsageError
   */
  prepare(message: OutgoingMessage): SendPrepared {
    const options: DispatchOptions = { whenFull: 'wait' };
    if (this.interceptors.areNone) {
      const prepared = this.pipeline.prepare(message);
      return async (deadline) => receiptOf(await this.pipeline.dispatch(prepared, deadline, options));
    }
    return async (deadline) => {
      const send = async (given: OutgoingMessage): Promise<StoredMessage> =>
        this.pipeline.dispatch(this.pipeline.prepare(given), deadline, options);
      return receiptOf(await this.through(message, 'batch', deadline, send));
    };
  }

  /** Sends a half message. @param mark the last change to it, which interceptors do not see */
  half(
    message: OutgoingMessage,
    deadline: Deadline,
    mark: (message: OutgoingMessage) => OutgoingMessage,
    options: HalfOptions,
  ): Promise<StoredMessage> {
    return this.through(message, 'half', deadline, async (given) =>
      this.pipeline.dispatch(this.pipeline.prepare(mark(given), options), deadline),
    );
  }

  private through(
    message: OutgoingMessage,
    kind: InterceptedSend['kind'],
    deadline: Deadline,
    send: (message: OutgoingMessage) => Promise<StoredMessage>,
  ): Promise<StoredMessage> {
    if (this.interceptors.areNone) return send(message);
    const messageId = message.messageId ?? this.pipeline.newMessageId();
    return this.interceptors.run({ ...message, messageId }, kind, deadline, send);
  }
}
