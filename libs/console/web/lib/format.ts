// Numbers, times and sizes as a person reads them.

const numbers = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

export function count(value: number): string {
  return numbers.format(value);
}

/** `12.4K`, for places without room. */
export function compact(value: number): string {
  return short.format(value);
}

/** `1 message`, `12 messages`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `14:03:27.512`, with the date where it is not today. */
export function time(ms: number, nowMs: number, isFine = true): string {
  const date = new Date(ms);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  const text = isFine ? `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}` : clock;
  return date.toDateString() === new Date(nowMs).toDateString() ? text : `${day(ms)} ${text}`;
}

/** `2026-11-22`, local. */
export function day(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** `14:03`, local. */
export function minute(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The value of a `datetime-local` input. */
export function localInput(ms: number): string {
  return `${day(ms)}T${minute(ms)}:${two(new Date(ms).getSeconds())}`;
}

/**
 * The time that the value of a `datetime-local` input means. In the hour that is repeated when clocks are set back it means two: the one nearer to
 * `nearMs`, which was shown before it was edited.
 */
export function fromLocalInput(value: string, nearMs: number): number {
  const ms = new Date(value).getTime();
  const again = [HOUR_MS / 2, HOUR_MS].map((shiftMs) => ms + shiftMs).find((one) => localInput(one) === localInput(ms));
  return again !== undefined && Math.abs(again - nearMs) < Math.abs(ms - nearMs) ? again : ms;
}

function two(part: number): string {
  return String(part).padStart(2, '0');
}

export function utc(ms: number): string {
  return new Date(ms).toISOString();
}

/** `3 s ago`, `in 12 min`. */
export function ago(ms: number, nowMs: number): string {
  const distance = duration(Math.abs(nowMs - ms));
  return ms > nowMs ? `in ${distance}` : `${distance} ago`;
}

export function duration(ms: number): string {
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND_MS) return `${(ms / SECOND_MS).toFixed(1)} s`;
  if (ms < 2 * MINUTE_MS) return `${Math.round(ms / SECOND_MS)} s`;
  if (ms < 2 * HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.round(ms / HOUR_MS)} h`;
  return `${Math.round(ms / DAY_MS)} d`;
}

export function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  if (size < 1024 * 1024) return `${(size / 1024).toFixed(1)} KiB`;
  return `${(size / 1024 / 1024).toFixed(1)} MiB`;
}
