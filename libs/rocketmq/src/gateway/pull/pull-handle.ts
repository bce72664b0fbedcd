// The receipt handles of pulled messages. They are valid in the process that pulled, while it owns the queue.

/** A delivery of a pulled message. */
interface PullHandle {
  /** Who pulled it. */
  readonly clientId: string;
  /** Which of the client's ownerships of the queue it belongs to. */
  readonly ownership: number;
  readonly offset: number;
  /** Which delivery of the message it is. */
  readonly delivery: number;
}

const HANDLE = /^pull (\S+) (\d{1,15}) (\d{1,16}) (\d{1,15})$/;

export function encodePullHandle({ clientId, ownership, offset, delivery }: PullHandle): string {
  return `pull ${clientId} ${ownership} ${offset} ${delivery}`;
}

/** Whether a handle is that of a pulled message. */
export function isPullHandle(text: string): boolean {
  return text.startsWith('pull ');
}

/** Undefined for any other text. */
export function decodePullHandle(text: string): PullHandle | undefined {
  const fields = HANDLE.exec(text);
  if (fields === null) return undefined;
  const [, clientId = '', ownership, offset, delivery] = fields;
  return { clientId, ownership: Number(ownership), offset: Number(offset), delivery: Number(delivery) };
}
