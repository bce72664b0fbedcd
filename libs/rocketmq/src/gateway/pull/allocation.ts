// Which queues of a topic a member of a consumer group takes where the members divide them among themselves. All must come to the same
// result, whatever their language.

/** A queue of a topic, which for retries is that of the group. */
export interface PulledQueue {
  readonly topic: string;
  readonly brokerName: string;
  readonly queueId: number;
}

/**
 * The queues of one member: a run of the sorted ones, the first members have one more. Empty for who is not a member.
 * @param members their client ids; a client with two connections is listed twice
 * @see AllocateMessageQueueAveragely of the Java client, its default and that of the Go client
 */
export function shareOf(member: string, members: readonly string[], queues: readonly PulledQueue[]): PulledQueue[] {
  // By UTF-16 units, as Java compares texts.
  const sortedMembers = [...new Set(members)].sort();
  const index = sortedMembers.indexOf(member);
  if (index < 0) return [];
  const rest = queues.length % sortedMembers.length;
  const least = (queues.length - rest) / sortedMembers.length;
  const start = index * least + Math.min(index, rest);
  return [...queues].sort(byName).slice(start, start + least + (index < rest ? 1 : 0));
}

/** A text for each queue. */
export function keyOf({ topic, brokerName, queueId }: PulledQueue): string {
  return `${topic} ${brokerName} ${queueId}`;
}

function byName(a: PulledQueue, b: PulledQueue): number {
  if (a.brokerName !== b.brokerName) return a.brokerName < b.brokerName ? -1 : 1;
  return a.queueId - b.queueId;
}
