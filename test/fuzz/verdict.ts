// What a run has to say: what broke, or that nothing did.

const MEBIBYTE = 1024 * 1024;
/** What the memory of the broker may be above what it was, all requests of a run over and forgotten. */
export const MOST_GROWTH_BYTES = 16 * MEBIBYTE;

/** What was seen in a run. */
export interface RunFacts {
  readonly requests: number;
  readonly seed: number;
  readonly durationMs: number;
  /** How the process of the broker ended while it should have lived; undefined when it lived. */
  readonly brokerEnd: string | undefined;
  /** What the broker wrote as errors. */
  readonly errors: readonly string[];
  /** Why good clients were not served, each time. */
  readonly goodClientFailures: readonly string[];
  readonly goodClients: number;
  /** What is reachable in the broker, buffers outside the heap included; undefined when it could not be asked. */
  readonly memoryBeforeBytes: number;
  readonly memoryAfterBytes: number | undefined;
  readonly gaps: readonly string[];
  readonly faults: readonly string[];
}

/** Each thing that did not hold; empty for a sound run. */
export function violations(facts: RunFacts): string[] {
  const { memoryBeforeBytes: before, memoryAfterBytes: after } = facts;
  const found = facts.brokerEnd === undefined ? [] : [`the broker crashed: ${facts.brokerEnd}`];
  found.push(...facts.errors.map((line) => `the broker told of an error: ${line}`));
  found.push(...facts.goodClientFailures.map((why) => `a good client was not served: ${why}`));
  if (facts.goodClients === 0) found.push('no good client was served');
  if (after === undefined) found.push('the broker did not tell its memory');
  else if (after - before > MOST_GROWTH_BYTES) {
    const most = `more than ${megabytes(MOST_GROWTH_BYTES)} MB`;
    found.push(`the broker leaks: from ${megabytes(before)} to ${megabytes(after)} MB after collection, ${most}`);
  }
  found.push(...facts.faults.map((fault) => `an answer tells of a fault of the broker: ${fault}`));
  return [...found, ...facts.gaps.map((gap) => `not covered: ${gap}`)];
}

/** The last line of a run. */
export function summary(facts: RunFacts): string {
  const broken = violations(facts).length;
  const after = facts.memoryAfterBytes === undefined ? '?' : megabytes(facts.memoryAfterBytes);
  const said = [
    `${facts.requests} requests in ${(facts.durationMs / 1_000).toFixed(0)} s, seed ${facts.seed}`,
    `${facts.goodClients} good clients served`,
    `memory ${megabytes(facts.memoryBeforeBytes)} MB before, ${after} MB after`,
  ];
  return `${said.join(', ')}: ${broken === 0 ? 'sound' : `NOT SOUND (${broken})`}`;
}

function megabytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1);
}
