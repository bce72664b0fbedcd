// The lag of a consumer group, as an application keeps it: a message of the topic that its module option `operations` names.

import { HOUR_MS } from '../../support/clock.js';

/** How far a group was behind in one topic. */
export interface TopicLagSample {
  readonly topic: string;
  /** Messages, with those that wait for a retry. */
  readonly lag: number;
  /** The time since the message before the first waiting one was stored, in milliseconds; undefined when nothing waits, or it is not known. */
  readonly behindMs?: number | undefined;
}

/** How far a group was behind. */
export interface LagSample {
  /** When, in milliseconds since the epoch, by the clock of the application. */
  readonly atMs: number;
  /** Messages, over all topics. */
  readonly lag: number;
  /** The topics with the largest lag first; at most 20. */
  readonly topics: readonly TopicLagSample[];
}

/** A sample, and the largest of its hour so far: the last record of an hour has that of the whole hour. */
export interface LagRecord extends LagSample {
  readonly consumerGroup: string;
  /** Undefined: this sample. */
  readonly peak?: LagSample | undefined;
  /** The client id of the application's producer; it begins with host name and process id. */
  readonly instance: string;
}

export const LAG_TAG = 'lag';
export const MAX_LAG_TOPICS = 20;

/** The key of the records of a group. */
export function lagKey(consumerGroup: string): string {
  return `lag:${consumerGroup}`;
}

/** When the hour (UTC) of a sample begins, in milliseconds since the epoch. */
export function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS) * HOUR_MS;
}

/** Far more than a record has. */
const MAX_BYTES = 64 * 1024;

/** Undefined when the body is no record. */
export function parseLagRecord(body: Uint8Array): LagRecord | undefined {
  if (body.length > MAX_BYTES) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Anybody may send to the topic. */
function isRecord(value: unknown): value is LagRecord {
  const { consumerGroup, instance, peak } = Object(value) as Partial<Record<keyof LagRecord, unknown>>;
  const isNamed = typeof consumerGroup === 'string' && typeof instance === 'string';
  return isNamed && isSample(value) && (peak === undefined || isSample(peak));
}

function isSample(value: unknown): value is LagSample {
  const { atMs, lag, topics } = Object(value) as Partial<Record<keyof LagSample, unknown>>;
  return (
    isCount(atMs) && isCount(lag) && Array.isArray(topics) && topics.length <= MAX_LAG_TOPICS && topics.every(isOfTopic)
  );
}

function isOfTopic(value: unknown): boolean {
  const { topic, lag, behindMs } = Object(value) as Partial<Record<keyof TopicLagSample, unknown>>;
  return typeof topic === 'string' && isCount(lag) && (behindMs === undefined || isCount(behindMs));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
