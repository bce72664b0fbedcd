// Reads the properties and times of stored messages. Any producer can write any value there.

type Properties = ReadonlyMap<string, string>;

/** The latest time that a Date can hold; the earliest one is as far from 1970. */
const LATEST_DATE_MS = 8.64e15;

/** The date that is nearest to the time: an invalid one would be before and after nothing. */
export function dateOf(timeMs: number): Date {
  return new Date(Math.min(Math.max(timeMs, -LATEST_DATE_MS), LATEST_DATE_MS));
}

/** Undefined for a text that is not an integer, or one beyond any time. */
export function integerIn(text: string | undefined): number | undefined {
  const number = Number(text);
  return text !== undefined && text.trim() !== '' && Number.isSafeInteger(number) && Math.abs(number) <= LATEST_DATE_MS
    ? number
    : undefined;
}

/**
 * When a delayed message is or was due, in milliseconds since 1970. Of one that was sent with a delay and not with a time, the broker keeps only the
 * second before. Undefined of a message that is not delayed, or by a delay level, of which the broker keeps no time.
 * @see HookUtils.handleScheduleMessage of the server, which looks at the properties in this order
 */
export function dueTimeIn(properties: Properties): number | undefined {
  const hasDelay = properties.has('TIMER_DELAY_SEC') || properties.has('TIMER_DELAY_MS');
  return integerIn(properties.get(hasDelay ? 'TIMER_OUT_MS' : 'TIMER_DELIVER_MS'));
}
