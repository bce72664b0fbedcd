// The layout of a topic: the queues on each broker that its message groups are spread over.

import { LIMITS } from './limits.js';
import { queueOfMessageGroup } from './queue-hash.js';

/** The queues of a topic on one broker, numbered from 0. */
export interface BrokerQueues {
  readonly brokerName: string;
  /** At least 1. */
  readonly queues: number;
}

/** At least one broker, each once. */
export type Layout = readonly BrokerQueues[];

/** A queue of a topic. */
export interface QueueInLayout {
  readonly brokerName: string;
  readonly queueId: number;
}

/** Far more than any cluster has. */
const MAX_BROKERS = 256;
const MAX_CHARACTERS = MAX_BROKERS * 300;

/** Reads `broker-a:8;broker-b:8`, as name servers keep it; undefined for anything else. @see ORDER_TOPIC_CONFIG of the server */
export function parseLayout(text: string): Layout | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const layout = new Map<string, BrokerQueues>();
  for (const entry of text.split(';')) {
    if (entry.trim() === '') continue;
    const [, brokerName, digits] = /^\s*([^\s:;]+):(\d{1,4})\s*$/.exec(entry) ?? [];
    const queues = Number(digits);
    if (brokerName === undefined || !(queues >= 1 && queues <= LIMITS.topicQueues)) return undefined;
    if (layout.has(brokerName) || layout.size === MAX_BROKERS) return undefined;
    layout.set(brokerName, { brokerName, queues });
  }
  return layout.size === 0 ? undefined : [...layout.values()];
}

/** `broker-a:8;broker-b:8` */
export function layoutText(layout: Layout): string {
  return layout.map(({ brokerName, queues }) => `${brokerName}:${queues}`).join(';');
}

/** By UTF-16 code units, like Java: everyone who chooses a queue must agree on the order. */
export function byBrokerName(layout: Layout): Layout {
  return [...layout].sort((a, b) => (a.brokerName < b.brokerName ? -1 : Number(a.brokerName > b.brokerName)));
}

/** Whether they have the same brokers with the same queues. */
export function isSameLayout(one: Layout, other: Layout): boolean {
  return layoutText(byBrokerName(one)) === layoutText(byBrokerName(other));
}

export function queuesIn(layout: Layout): number {
  return layout.reduce((sum, { queues }) => sum + queues, 0);
}

/** In the order of the brokers, and of their numbers. */
export function allQueuesIn(layout: Layout): QueueInLayout[] {
  return layout.flatMap(({ brokerName, queues }) =>
    Array.from({ length: queues }, (_, queueId): QueueInLayout => ({ brokerName, queueId })),
  );
}

/** The queue at a position, counted over all brokers. The position must be one of the layout. */
export function queueAt(layout: Layout, position: number): QueueInLayout {
  let queueId = position;
  for (const { brokerName, queues } of layout) {
    if (queueId < queues) return { brokerName, queueId };
    queueId -= queues;
  }
  throw new RangeError(`position ${position} of ${layoutText(layout)}`);
}

/** The queue that a proxy chooses for a message group or lite topic when it sees this layout. @param layout by the name of the broker */
export function placeOfMessageGroup(layout: Layout, messageGroup: string): QueueInLayout {
  return queueAt(layout, queueOfMessageGroup(messageGroup, queuesIn(layout)));
}
