// The order of lists in results: by UTF-16 code unit, the same on every machine.

export function compareText(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

/** By broker, then by queue. */
export function compareQueues(
  left: { readonly broker: string; readonly queueId: number },
  right: { readonly broker: string; readonly queueId: number },
): number {
  return compareText(left.broker, right.broker) || left.queueId - right.queueId;
}
