// The content of a receipt handle, which is opaque to clients.

/** Identifies one delivery: the position of the message, the end of the lease, and the pop or change that issued the handle. */
export interface ReceiptHandle {
  readonly queueId: number;
  readonly offset: number;
  readonly leaseEndsAtMs: number;
  readonly serial: number;
}

const PATTERN = /^v1 (\d{1,9}) (\d{1,15}) (\d{1,15}) (\d{1,16})$/;

export function formatHandle({ queueId, offset, leaseEndsAtMs, serial }: ReceiptHandle): string {
  return `v1 ${queueId} ${offset} ${Math.floor(leaseEndsAtMs)} ${serial}`;
}

/** Parses a handle; undefined for a string that this broker did not issue. */
export function parseHandle(text: string): ReceiptHandle | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [queueId, offset, leaseEndsAtMs, serial] = match.slice(1).map(Number) as [number, number, number, number];
  return { queueId, offset, leaseEndsAtMs, serial };
}
