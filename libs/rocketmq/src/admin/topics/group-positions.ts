// How far a group has come in the queues of its topics, as a broker answers.

import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { ObjectKeyedMap } from '../../protocol/remoting/java-json.js';
import { jsonOf, objectIn, offsetIn, timeIn } from '../../remoting/answers.js';

/** The position of the group in a queue. */
export interface QueueLag {
  /** The broker's name. */
  readonly broker: string;
  readonly queueId: number;
  /** The offset that the next message of the queue gets. */
  readonly brokerOffset: number;
  /**
   * The position of the group. For a group without order that consumes by pop, as all gRPC clients do: the first message that was
   * never delivered; messages in flight are before it. For a `fifo` group: the first message that is not settled. For a queue from
   * which the group has never received: where its first receive starts (see {@link hasStarted}).
   */
  readonly consumerOffset: number;
  /**
   * Whether the group has received from the queue before. If not, it starts at the first message of the queue while the broker has
   * that message in memory, otherwise at the last one; the embedded broker starts at the first stored message. Of a queue that cannot be read,
   * because its topic has more queues to write than to read, no consumer receives anything.
   */
  readonly hasStarted: boolean;
  /** `brokerOffset - consumerOffset`, at least 0. */
  readonly lag: number;
  /** How far consumers of the remoting protocol have pulled. With pop the server reports `consumerOffset` here. */
  readonly pullOffset: number;
  /** When the message before `consumerOffset` was stored, in milliseconds since 1970; undefined when there is none. */
  readonly lastTimestampMs: number | undefined;
}

/** A queue of a topic, or of a retry topic. */
export interface QueueRow extends QueueLag {
  readonly topic: string;
}

/** @see ConsumeStats of the server, request code 208 */
export function rowsIn(answer: RemotingFrame): QueueRow[] {
  const table = jsonOf(answer).offsetTable;
  if (!(table instanceof ObjectKeyedMap)) return [];
  return table.pairs.map(([key, value]) => {
    const { brokerName, queueId, topic } = objectIn(key);
    const offsets = objectIn(value);
    const brokerOffset = offsetIn(offsets.brokerOffset);
    const consumerOffset = offsetIn(offsets.consumerOffset);
    return {
      topic: String(topic),
      broker: String(brokerName),
      queueId: Number(queueId),
      brokerOffset,
      consumerOffset,
      lag: behind(brokerOffset, consumerOffset),
      pullOffset: offsetIn(offsets.pullOffset),
      lastTimestampMs: timeIn(offsets.lastTimestamp),
      hasStarted: true,
    };
  });
}

/** The number of messages between two offsets; a group may be ahead of the broker's answer. */
export function behind(brokerOffset: number, consumerOffset: number): number {
  return Math.max(0, brokerOffset - consumerOffset);
}
