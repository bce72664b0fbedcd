// Finding the highest rate that is sustained, by trying rates. What a try is, is not known here.

/** The first guess may be far off: it comes from a system that has just started. */
const FAR = 1.6;
/** The answer is near enough when a rate so much higher was not sustained. */
const NEAR = 1.1;
const MIN_RATE = 1;

/**
 * @template {{ isSustained: boolean }} Try
 * @typedef {{ best: (Try & { rate: number }) | undefined, isHighest: boolean, tries: (Try & { rate: number })[] }} Search
 *   `isHighest`: a rate up to a tenth higher was tried and not sustained
 */

/**
 * Goes up while rates are sustained, or down until one is; then halves what is between.
 * @template {{ isSustained: boolean }} Try
 * @param {{ start: number, maxTries: number }} range
 * @param {(rate: number) => Promise<Try>} attempt
 * @returns {Promise<Search<Try>>}
 */
export async function searchRate({ start, maxTries }, attempt) {
  const tries = [];
  /** @type {(Try & { rate: number }) | undefined} */
  let best;
  let refused = Number.POSITIVE_INFINITY;
  const isNear = () => best !== undefined && refused <= best.rate * NEAR;
  let rate = rounded(start);
  while (tries.length < maxTries && !isNear()) {
    const one = { ...(await attempt(rate)), rate };
    tries.push(one);
    if (one.isSustained) best = one;
    else refused = rate;
    const next = nextRate(best?.rate, refused);
    // At the lowest rate, or with no distinguishable rate between the two.
    if (tries.some((tried) => tried.rate === next)) break;
    rate = next;
  }
  return { best, isHighest: isNear(), tries };
}

/** @param {number | undefined} sustained @param {number} refused infinite when none was */
function nextRate(sustained, refused) {
  if (sustained === undefined) return rounded(refused / FAR);
  return rounded(refused === Number.POSITIVE_INFINITY ? sustained * FAR : Math.sqrt(sustained * refused));
}

/** To what one would say: three digits. @param {number} rate */
function rounded(rate) {
  return Math.max(MIN_RATE, Number(rate.toPrecision(3)));
}
