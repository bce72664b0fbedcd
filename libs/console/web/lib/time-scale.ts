// Where moments lie on a line.

/** A place on the time line for each time. */
export type Scale = (ms: number) => number;

/**
 * @param isEven long waits are shortened, so that steps of milliseconds beside steps of hours stay visible
 * @returns from 0 to 1
 */
export function scaleOf(times: readonly number[], isEven: boolean): Scale {
  const marks = [...new Set(times)].sort((left, right) => left - right);
  const [first = 0] = marks;
  const last = marks.at(-1) ?? first;
  if (last === first) return () => 0;
  if (!isEven) return (ms) => (ms - first) / (last - first);
  const places = [0];
  for (let at = 1; at < marks.length; at++)
    places.push((places[at - 1] ?? 0) + Math.log2(2 + (marks[at] ?? 0) - (marks[at - 1] ?? 0)));
  const whole = places.at(-1) ?? 1;
  return (ms) => {
    const next = marks.findIndex((mark) => mark >= ms);
    if (next <= 0) return next === 0 ? 0 : 1;
    const [from = 0, to = 0] = [marks[next - 1], marks[next]];
    const [left = 0, right = 0] = [places[next - 1], places[next]];
    return (left + ((right - left) * (ms - from)) / (to - from)) / whole;
  };
}
