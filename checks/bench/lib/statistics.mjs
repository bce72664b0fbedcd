// Numbers of many numbers. What they are of is not known here. Plain JavaScript, for measured processes as well.

/**
 * The value that `percent` of the values do not exceed (nearest rank).
 * @param {readonly number[] | Float64Array} sorted ascending
 * @param {number} percent above 0, at most 100
 * @returns {number} NaN when there are none
 */
export function percentile(sorted, percent) {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** @param {readonly number[]} values in any order @returns {number} the middle one, or the mean of the two; NaN of none */
export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const upper = sorted[sorted.length >> 1] ?? Number.NaN;
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/**
 * The median of what each round gives: two things measured in one round had the same machine.
 * @param {readonly (number | undefined)[]} figures of one column, by round
 * @param {readonly (number | undefined)[]} others of another
 * @returns {number | undefined} undefined when no round has both
 */
export function medianRatio(figures, others) {
  const ratios = figures.flatMap((figure, round) => {
    const other = others[round];
    return figure === undefined || other === undefined ? [] : [figure / other];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}
