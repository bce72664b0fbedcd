// A failure of a handler, as an application keeps it: a message of the topic that its module option `operations` names. The command line reads it.

/** A failed attempt of a handler, or a dead letter. It never has the body, properties or keys of the message. */
export interface FailureRecord {
  /** When it failed, in milliseconds since the epoch, by the clock of the application. */
  readonly atMs: number;
  readonly consumerGroup: string;
  readonly topic: string;
  readonly messageId: string;
  /** The number of the delivery; the first is 1. */
  readonly deliveryAttempt: number;
  /** What followed. */
  readonly settlement:
    | { readonly kind: 'retry'; readonly delayMs: number }
    | { readonly kind: 'deadLetter'; readonly reason: string };
  readonly error: {
    /** The name of its class. */
    readonly name: string;
    readonly code?: string | undefined;
    /** Its message, which may quote the body; undefined when the application keeps none. */
    readonly text?: string | undefined;
    /** Where it was thrown: a frame in each line. */
    readonly stack?: string | undefined;
  };
  /** The client id of the application's producer; it begins with host name and process id. */
  readonly instance: string;
  /** How many failures of the same kind, group and topic this instance has not recorded since its previous record of them. */
  readonly leftOut: number;
}

/** The tag of a record, by what followed. */
export const FAILURE_TAGS = { retry: 'retry', deadLetter: 'dead-letter' } as const;

/** Far more than a record has. */
const MAX_BYTES = 64 * 1024;

/** Undefined when the body is no record. */
export function parseFailureRecord(body: Uint8Array): FailureRecord | undefined {
  if (body.length > MAX_BYTES) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Anybody may send to the topic. */
function isRecord(value: unknown): value is FailureRecord {
  const { atMs, consumerGroup, topic, messageId, deliveryAttempt, settlement, error, instance, leftOut } = Object(
    value,
  ) as Partial<Record<keyof FailureRecord, unknown>>;
  return (
    [consumerGroup, topic, messageId, instance].every((one) => typeof one === 'string') &&
    [deliveryAttempt, leftOut].every((one) => Number.isFinite(one)) &&
    isTime(atMs) &&
    isSettlement(Object(settlement)) &&
    isError(Object(error))
  );
}

/** Others cannot be shown. */
function isTime(value: unknown): boolean {
  return Number.isFinite(value) && !Number.isNaN(new Date(value as number).getTime());
}

function isSettlement({ kind, delayMs, reason }: Readonly<Record<string, unknown>>): boolean {
  return kind === 'retry' ? Number.isFinite(delayMs) : kind === 'deadLetter' && typeof reason === 'string';
}

function isError({ name, code, text, stack }: Readonly<Record<string, unknown>>): boolean {
  return typeof name === 'string' && [code, text, stack].every((one) => one === undefined || typeof one === 'string');
}
