// Reads the values of properties of stored messages. Any producer can write any text there.

type Properties = ReadonlyMap<string, string>;

/** The latest time that a Date can hold. */
const LATEST_DATE_MS = 8.64e15;

/** Undefined for a text that is not an integer, or one beyond any time. */
export function integerIn(text: string | undefined): number | undefined {
  const number = Number(text);
  return text !== undefined && text.trim() !== '' && Number.isSafeInteger(number) && number <= LATEST_DATE_MS
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
