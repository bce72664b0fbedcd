// Message ids: 17 bytes as 34 upper-case hex digits, like those of the official clients.

import { createHash } from 'node:crypto';
import type { Random } from '../../support/random.js';

/** 2021-01-01T00:00:00Z, from which ids count their seconds. */
const ID_EPOCH_MS = 1_609_459_200_000;

/** Generates ids that are unique among all generators: version 01, six node bytes, process, second, sequence. */
export class MessageIdGenerator {
  private readonly node: string;
  private second = -1;
  /** Everything but the sequence, which alone changes within a second. */
  private prefix = '';
  private sequence = 0;

  /** The node part is random: a container's MAC address often repeats. */
  constructor(random: Random, processId: number) {
    this.node = `01${random.bytes(6).toString('hex')}${hex(processId & 0xffff, 4)}`.toUpperCase();
  }

  next(nowMs: number): string {
    const second = Math.floor((nowMs - ID_EPOCH_MS) / 1000) >>> 0;
    if (second !== this.second) {
      this.second = second;
      this.prefix = this.node + hex(second, 8);
    }
    const id = this.prefix + hex(this.sequence, 8);
    this.sequence = (this.sequence + 1) >>> 0;
    return id;
  }
}

/** The same id for the same text. */
export function messageIdFrom(text: string): string {
  return `01${createHash('sha256').update(text).digest('hex').slice(0, 32)}`.toUpperCase();
}

/**
 * Whether an id is the place of one stored copy (`offsetMsgId` of the server), which servers show of a message whose client gave it no id.
 * The next delivery of that message may be another copy. @see MessageDecoder.createMessageId of the server: address, port in four bytes, offset
 */
export function isIdOfCopy(messageId: string): boolean {
  return /^(?:[\dA-F]{8}|[\dA-F]{32})0000[\dA-F]{4}0000[\dA-F]{12}$/i.test(messageId);
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}
