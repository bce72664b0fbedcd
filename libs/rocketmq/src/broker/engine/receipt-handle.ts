// What a receipt handle says. To clients it is opaque.

/** A handle names one delivery: where the message lies, until when it is leased, and which pop or change issued it. */
export interface ReceiptHandle {
  readonly queueId: number;
  readonly offset: number;
  readonly leaseEndsAtMs: number;
  readonly serial: number;
}

const PATTERN = /^v1 (\d{1,9}) (\d{1,15}) (\d{1,15}) (\d{1,15})$/;

export function formatHandle({ queueId, offset, leaseEndsAtMs, serial }: ReceiptHandle): string {
  return `v1 ${queueId} ${offset} ${Math.floor(leaseEndsAtMs)} ${serial}`;
}

/** The handle's parts, or undefined for a string that this broker did not issue. */
export function parseHandle(text: string): ReceiptHandle | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [queueId, offset, leaseEndsAtMs, serial] = match.slice(1).map(Number) as [number, number, number, number];
  return { queueId, offset, leaseEndsAtMs, serial };
}
