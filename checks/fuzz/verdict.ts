// The verdict of a run.

const MEBIBYTE = 1024 * 1024;
/** The maximum growth of the broker's memory after all requests of a run have ended. */
export const MAX_GROWTH_BYTES = 16 * MEBIBYTE;
/** The maximum CPU time of a request, as a multiple of the reference work of broker-probe.mjs. The limits of receives and requests allow less. */
export const MAX_YARDSTICKS = 4;
/** The limit for incomplete requests at the name server port: docs/guide/embedded-broker.md. */
const ADMIN_BYTES = 64 * MEBIBYTE;
/** The limit, including the growth above, for unauthenticated callers that complete no request: docs/guide/embedded-broker.md. */
export const MAX_HELD_BYTES = {
  withoutUsers: 256 * MEBIBYTE + ADMIN_BYTES + MAX_GROWTH_BYTES,
  withUsers: ADMIN_BYTES + MAX_GROWTH_BYTES,
};

/** The memory that a broker used for callers that completed no request. */
export interface Holding {
  readonly broker: string;
  readonly heldBytes: number;
  readonly maxBytes: number;
}

/** The facts of a run. */
export interface RunFacts {
  readonly requests: number;
  readonly seed: number;
  readonly durationMs: number;
  /** How the broker process ended unexpectedly; undefined if it did not. */
  readonly brokerEnd: string | undefined;
  /** The errors that the broker logged. */
  readonly errors: readonly string[];
  /** Why well-behaved clients were not served, for each failure. */
  readonly goodClientFailures: readonly string[];
  readonly goodClients: number;
  /** The reachable memory of the broker, including buffers outside the heap; undefined if it could not be measured. */
  readonly memoryBeforeBytes: number;
  readonly memoryAfterBytes: number | undefined;
  /** The longest uninterrupted CPU time of the broker, and the requests in flight at that time. */
  readonly busiest: { readonly cpuMs: number; readonly requests: readonly string[] };
  /** The CPU time of the reference work on this machine. */
  readonly yardstickCpuMs: number;
  readonly holdings: readonly Holding[];
  readonly gaps: readonly string[];
  readonly faults: readonly string[];
}

/** The violations; empty for a sound run. */
export function violations(facts: RunFacts): string[] {
  const { memoryBeforeBytes: before, memoryAfterBytes: after } = facts;
  const found = facts.brokerEnd === undefined ? [] : [`the broker crashed: ${facts.brokerEnd}`];
  found.push(...facts.errors.map((line) => `the broker logged an error: ${line}`));
  found.push(...facts.goodClientFailures.map((why) => `a good client was not served: ${why}`));
  if (facts.goodClients === 0) found.push('no good client was served');
  if (after === undefined) found.push('the broker did not report its memory');
  else if (after - before > MAX_GROWTH_BYTES) {
    const most = `more than ${megabytes(MAX_GROWTH_BYTES)} MB`;
    found.push(`the broker leaks: from ${megabytes(before)} to ${megabytes(after)} MB after collection, ${most}`);
  }
  found.push(...longWork(facts), ...facts.holdings.filter(isTooMuch).map(tooMuch));
  found.push(...facts.faults.map((fault) => `an answer shows a fault of the broker: ${fault}`));
  return [...found, ...facts.gaps.map((gap) => `not covered: ${gap}`)];
}

function longWork({ busiest: { cpuMs, requests }, yardstickCpuMs }: RunFacts): string[] {
  if (yardstickCpuMs === 0) return ['the broker did not report its work'];
  if (cpuMs <= MAX_YARDSTICKS * yardstickCpuMs) return [];
  const most = `more than ${MAX_YARDSTICKS} times ${yardstickCpuMs.toFixed(0)} ms`;
  return [`a request takes too long: ${cpuMs.toFixed(0)} ms of CPU, ${most}; it is one of: ${requests.join(', ')}`];
}

function isTooMuch({ heldBytes, maxBytes }: Holding): boolean {
  return heldBytes > maxBytes;
}

function tooMuch({ broker, heldBytes, maxBytes }: Holding): string {
  const held = `${megabytes(heldBytes)} MB, more than ${megabytes(maxBytes)} MB`;
  return `the broker ${broker} holds too much for requests that are not whole: ${held}`;
}

/** The last line of a run. */
export function summary(facts: RunFacts): string {
  const broken = violations(facts).length;
  const after = facts.memoryAfterBytes === undefined ? '?' : megabytes(facts.memoryAfterBytes);
  const said = [
    `${facts.requests} requests in ${(facts.durationMs / 1_000).toFixed(0)} s, seed ${facts.seed}`,
    `${facts.goodClients} good clients served`,
    `memory ${megabytes(facts.memoryBeforeBytes)} MB before, ${after} MB after`,
    `longest work ${facts.busiest.cpuMs.toFixed(0)} ms of CPU of ${(MAX_YARDSTICKS * facts.yardstickCpuMs).toFixed(0)}`,
    ...facts.holdings.map(({ broker, heldBytes, maxBytes }) => {
      return `unfinished requests hold ${megabytes(heldBytes)} of ${megabytes(maxBytes)} MB ${broker}`;
    }),
  ];
  return `${said.join(', ')}: ${broken === 0 ? 'sound' : `NOT SOUND (${broken})`}`;
}

function megabytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1);
}
