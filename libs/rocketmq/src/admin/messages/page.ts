// A page of messages while it is read.

import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { Deadline } from '../../support/deadline.js';
import type { AskedBrokers } from '../each-broker.js';
import { messageView, type StoredMessageView } from './message-view.js';

/** The most messages that a server returns at once. */
const MAX_AT_ONCE = 32;
/** A page ends after this many bytes, so that a hundred messages of 4 MiB are not returned at once. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
const MAX_READ = 2_000;
/** Of the time for a page: kept for what is done with it. */
const RESERVED_SHARE = 0.3;

/** A message as it is stored, and its view. */
export interface FoundMessage {
  readonly stored: StoredMessageFields;
  readonly view: StoredMessageView;
}

/** The messages of a page, and how many it may still read. */
export class Page {
  readonly found: FoundMessage[] = [];
  private read = 0;
  private bytes = 0;

  constructor(
    private readonly limit: number,
    private readonly filter: ((message: StoredMessageView) => boolean) | undefined,
    private readonly deadline: Deadline,
  ) {}

  /** Whether nothing was read, be it wanted or not. */
  get isUntouched(): boolean {
    return this.read === 0;
  }

  get isFull(): boolean {
    return this.found.length >= this.limit || this.bytes >= MAX_PAGE_BYTES || this.read >= MAX_READ || this.isLate;
  }

  /** How many messages to ask for at once: with a filter, more than fit may be needed. */
  get room(): number {
    return Math.min(MAX_AT_ONCE, this.filter === undefined ? this.limit - this.found.length : MAX_AT_ONCE);
  }

  /** @param broker the name of the broker that returned it */
  async add(stored: StoredMessageFields, broker: string): Promise<void> {
    this.read++;
    this.bytes += stored.body.length;
    const view = await messageView(stored, broker);
    if (this.filter === undefined || this.filter(view)) this.found.push({ stored, view });
  }

  /** A page that has something ends before its time does, which would lose what was read. */
  private get isLate(): boolean {
    return !this.isUntouched && this.deadline.remainingMs() < this.deadline.timeoutMs * RESERVED_SHARE;
  }
}

/** What a reader of a topic asks, and whom. */
export interface TopicReader {
  readonly cluster: ClusterAccess;
  readonly topic: string;
  readonly asked: AskedBrokers;
  /** Only messages with one of these tags: `a || b`. Undefined: all. */
  readonly tags?: string | undefined;
}
