// What of a message leaves the server.

import { originTopicOf, type StoredMessageView } from 'nestjs-rocketmq/admin';
import type { MessageState } from 'nestjs-rocketmq/broker';
import type { BodyRule } from './options.js';

/** Bodies of a list are cut to this; the page of a message has all of it. */
const SHORT_BYTES = 512;

/** A body as the browser gets it. */
type ShownBody =
  | { readonly kind: 'hidden'; readonly bytes: number }
  | {
      readonly kind: 'text';
      readonly bytes: number;
      readonly text: string;
      readonly isCut: boolean;
      /** Whether it is what the rule returned instead. */
      readonly isReplaced: boolean;
    }
  | { readonly kind: 'binary'; readonly bytes: number; readonly base64: string; readonly isCut: boolean };

/** A message as the browser gets it. */
type ShownMessage<T extends StoredMessageView = StoredMessageView> = Omit<T, 'body'> & {
  readonly body: ShownBody;
};

/** Applies the rule for one viewer. */
export class Redaction {
  constructor(
    private readonly rule: BodyRule,
    private readonly viewer: string | undefined,
    /** Called with what the rule throws: the body of that message is then hidden. */
    private readonly failed: (error: unknown) => void,
  ) {}

  /** A message of a list. */
  short<T extends StoredMessageView>(message: T): ShownMessage<T> {
    return this.shown(message, SHORT_BYTES);
  }

  /** A message with all of its body. */
  whole<T extends StoredMessageView>(message: T): ShownMessage<T> {
    return this.shown(message, Number.POSITIVE_INFINITY);
  }

  /**
   * A message as an embedded broker's control shows it, with the beginning of its body.
   * @param aheadMs how far the broker's clock is ahead of that of its clients, which the pages show
   */
  state(state: MessageState, broker: string, aheadMs: number): ShownMessage {
    const view = viewOf(state, broker, aheadMs);
    // A rule must not decide by a part of a body.
    const isPart = state.isCut || state.isCompressed;
    const shown = isPart && typeof this.rule === 'function' ? hiddenOf(view) : this.short(view);
    if (shown.body.kind === 'hidden') return { ...shown, body: { kind: 'hidden', bytes: state.bodyBytes } };
    return { ...shown, body: { ...shown.body, bytes: state.bodyBytes, isCut: shown.body.isCut || state.isCut } };
  }

  /** Whether the viewer sees the body as it is. @param message undefined: one that is not at hand */
  showsBody(message?: StoredMessageView): boolean {
    if (message === undefined || typeof this.rule !== 'function') return this.rule === 'shown';
    return this.bytesOf(message)?.equals(message.body) === true;
  }

  /** Whether a text is in what the viewer may see: a search must not reveal what a body hides. */
  contains(message: StoredMessageView, text: string): boolean {
    const { messageId, tag, keys, messageGroup, properties } = message;
    const seen = [messageId, tag, messageGroup, ...keys, ...Object.entries(properties).flat()];
    if (seen.some((one) => one?.includes(text))) return true;
    const bytes = this.bytesOf(message);
    return bytes?.includes(text) === true;
  }

  private shown<T extends StoredMessageView>(message: T, maxBytes: number): ShownMessage<T> {
    return { ...message, body: bodyOf(message.body, this.bytesOf(message), maxBytes) };
  }

  private bytesOf(message: StoredMessageView): Buffer | undefined {
    const ruling = typeof this.rule === 'function' ? this.ruled(this.rule, message) : this.rule;
    if (ruling === 'shown') return message.body;
    // Anything else that a rule returns by mistake hides it, too.
    return Buffer.isBuffer(ruling) ? ruling : undefined;
  }

  /** Brokers keep copies in topics of their own; the rule is asked about the topic that the message was sent to. */
  private ruled(rule: Exclude<BodyRule, string>, message: StoredMessageView): ReturnType<typeof rule> {
    const topic = originTopicOf(message);
    if (topic === undefined) return 'hidden';
    try {
      return rule({ ...message, topic }, this.viewer);
    } catch (error) {
      this.failed(error);
      return 'hidden';
    }
  }
}

function hiddenOf(message: StoredMessageView): ShownMessage {
  return { ...message, body: { kind: 'hidden', bytes: message.body.length } };
}

function bodyOf(stored: Buffer, shown: Buffer | undefined, maxBytes: number): ShownBody {
  const bytes = stored.length;
  if (shown === undefined) return { kind: 'hidden', bytes };
  const isCut = shown.length > maxBytes;
  const part = isCut ? shown.subarray(0, maxBytes) : shown;
  const text = part.toString('utf8');
  // The cut may be in the middle of a character.
  const isText = !text.slice(0, isCut ? -1 : undefined).includes('\uFFFD') && !hasControl(text);
  if (isText) return { kind: 'text', bytes, text, isCut, isReplaced: !shown.equals(stored) };
  return { kind: 'binary', bytes, base64: part.toString('base64'), isCut };
}

function hasControl(text: string): boolean {
  return [...text].some((char) => char < ' ' && !'\n\r\t'.includes(char));
}

function viewOf(state: MessageState, broker: string, aheadMs: number): StoredMessageView {
  const { topic, messageId, tag, keys, properties, messageGroup, priority, liteTopic, deliveryTimestampMs } = state;
  return {
    topic,
    messageId,
    body: Buffer.from(state.body, state.bodyEncoding),
    isPacked: state.isCompressed,
    tag,
    keys,
    properties,
    systemProperties: {},
    messageGroup,
    priority,
    liteTopic,
    deliveryTimestampMs: deliveryTimestampMs && deliveryTimestampMs - aheadMs,
    bornTimestampMs: state.bornAtMs,
    bornHost: '',
    storeTimestampMs: state.storedAtMs,
    storeHost: '',
    broker,
    // It is in no queue yet.
    queueId: 0,
    queueOffset: 0,
    reconsumeTimes: 0,
  };
}
