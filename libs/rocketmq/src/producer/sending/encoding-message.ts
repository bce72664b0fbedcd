// A message whose body is still being encoded.

import type { OutgoingMessage } from '../../protocol/model/message.js';
import { assertMessageTypes } from '../../protocol/model/message-checks.js';
import { raceAbort } from '../../support/abort.js';
import type { Deadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import type { OrderedPlace } from './send-turns.js';

/**
 * Takes the place of a message while its body is validated and encoded, which can take longer than that of a later one. A class, so that it
 * cannot be confused with a message.
 */
export class EncodingMessage {
  readonly topic: string;
  readonly messageGroup: string | undefined;
  readonly liteTopic: string | undefined;
  readonly messageId: string | undefined;

  /** @param encoded has the same place and id */
  constructor(
    { topic, messageGroup, liteTopic, messageId }: OrderedPlace & Pick<OutgoingMessage, 'messageId'>,
    private readonly encoded: Promise<OutgoingMessage>,
  ) {
    this.topic = topic;
    this.messageGroup = messageGroup;
    this.liteTopic = liteTopic;
    this.messageId = messageId;
    // It may fail before anybody waits for it.
    encoded.catch(() => {});
  }

  /** The same message with this id. */
  withId(messageId: string): EncodingMessage {
    const encoded = this.encoded.then((message) => ({ ...message, messageId }));
    return new EncodingMessage({ ...this, messageId }, encoded);
  }

  /** @throws what the encoding throws; TransportError `DEADLINE_EXCEEDED` whose outcome is `not-sent`; the reason of a caller that aborts */
  async within(deadline: Deadline): Promise<OutgoingMessage> {
    const { signal, what, timeoutMs } = deadline;
    try {
      const message = await raceAbort(this.encoded, signal);
      assertMessageTypes(message);
      return message;
    } catch (error) {
      if (error !== signal.reason || !deadline.hasPassed) throw error;
      const text = `${what}: its body was not encoded within ${timeoutMs} ms; nothing was sent`;
      throw new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
    }
  }
}

/** @throws UsageError that names the field, for a message that no compiler has checked */
export function assertTypes(message: OutgoingMessage | EncodingMessage): void {
  if (!(message instanceof EncodingMessage)) assertMessageTypes(message);
}
