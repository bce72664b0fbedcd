// Finding the highest rate that is sustained, by trying rates. What a try is, is not known here.

/** The first guess may be far off: it comes from a system that has just started. */
const FAR = 1.6;
/** The answer is near enough when a rate so much higher was not sustained. */
const NEAR = 1.1;
const MIN_RATE = 1;

interface Search<Try> {
  best: (Try & { rate: number }) | undefined;
  /** A rate up to a tenth higher was tried and not sustained. */
  isHighest: boolean;
  tries: (Try & { rate: number })[];
}

/** Goes up while rates are sustained, or down until one is; then halves what is between. */
export async function searchRate<Try extends { isSustained: boolean }>(
  { start, maxTries }: { start: number; maxTries: number },
  attempt: (rate: number) => Promise<Try>,
): Promise<Search<Try>> {
  const tries = [];
  let best: (Try & { rate: number }) | undefined;
  let rejected = Number.POSITIVE_INFINITY;
  const isNear = () => best !== undefined && rejected <= best.rate * NEAR;
  let rate = rounded(start);
  while (tries.length < maxTries && !isNear()) {
    const one = { ...(await attempt(rate)), rate };
    tries.push(one);
    if (one.isSustained) best = one;
    else rejected = rate;
    const next = nextRate(best?.rate, rejected);
    // At the lowest rate, or with no distinguishable rate between the two.
    if (tries.some((tried) => tried.rate === next)) break;
    rate = next;
  }
  return { best, isHighest: isNear(), tries };
}

/** @param rejected infinite when none was */
function nextRate(sustained: number | undefined, rejected: number): number {
  if (sustained === undefined) return rounded(rejected / FAR);
  return rounded(rejected === Number.POSITIVE_INFINITY ? sustained * FAR : Math.sqrt(sustained * rejected));
}

/** To what one would say: three digits. */
function rounded(rate: number): number {
  return Math.max(MIN_RATE, Number(rate.toPrecision(3)));
}
