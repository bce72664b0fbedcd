// The deliveries of one message to a group, cut into those of each copy.

import type { Message, Trail } from '../types.js';

type Retry = Trail['groups'][number]['retries'][number];

/** The deliveries of one copy, up to its dead letter. */
export interface Life {
  readonly retries: readonly Retry[];
  readonly deadMs: number | undefined;
}

interface OpenLife {
  readonly retries: Retry[];
  deadMs: number | undefined;
}

/**
 * Several copies of an id may have been delivered to a group, also at the same time. Redeliveries of one copy have the same first delivery;
 * where that is not kept, the number of a delivery falls where the next copy begins.
 */
export function livesOf(retries: readonly Retry[], deadLetters: readonly Message[]): readonly Life[] {
  const lives: OpenLife[] = [];
  const all = [...retries, ...deadLetters].toSorted((left, right) => left.storeTimestampMs - right.storeTimestampMs);
  for (const one of all) {
    const open = lives.filter(({ deadMs }) => deadMs === undefined);
    if (isRetry(one)) {
      const own = open.filter((known) => continues(known, one));
      const life = one.firstReceivedMs === undefined ? own.at(-1) : own[0];
      if (life === undefined) lives.push({ retries: [one], deadMs: undefined });
      else life.retries.push(one);
      continue;
    }
    const last = (life: OpenLife): number => life.retries.at(-1)?.attempt ?? 0;
    const life = open.find((known) => last(known) === one.reconsumeTimes) ?? open.at(-1);
    if (life === undefined) lives.push({ retries: [], deadMs: one.storeTimestampMs });
    else life.deadMs = one.storeTimestampMs;
  }
  return lives;
}

function continues({ retries }: OpenLife, { attempt, firstReceivedMs }: Retry): boolean {
  const last = retries.at(-1);
  return last !== undefined && last.firstReceivedMs === firstReceivedMs && last.attempt < attempt;
}

function isRetry(one: Retry | Message): one is Retry {
  return 'attempt' in one;
}
