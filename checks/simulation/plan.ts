// The plan of a seed: the system, its work and its faults. Plain data, so that it can be shrunk.

/** Each kind of fault, and whether it may cause unknown outcomes or redeliveries. */
export const FAULT_KINDS = {
  'slow link': 'harmful',
  'lossy link': 'harmful',
  'link down': 'harmful',
  'half-open connection': 'harmful',
  'cut connection': 'harmful',
  goaway: 'harmless',
  'refused streams': 'harmless',
  'lost answers': 'harmful',
  'paused process': 'harmful',
  'slow disk': 'harmful',
  'broker restart': 'harmful',
  'broker crash': 'harmful',
  'client crash': 'harmful',
  'rolling deploy': 'harmless',
  'clock step': 'harmless',
  'hostile settings': 'harmless',
  'lost registration': 'harmless',
  'paused group': 'harmless',
} as const;
export type FaultKind = keyof typeof FAULT_KINDS;

/** A planned fault. `pick` selects its target among those that exist at that time. */
export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly durationMs: number;
  /** At least 0, below 1. */
  readonly pick: number;
  /** Its strength, at least 0 and below 1. */
  readonly strength: number;
}

export const LAYOUTS = ['seen', 'declared', 'configured'] as const;

/** The system and its load. */
export interface Plan {
  readonly seed: number;
  readonly instances: number;
  readonly latencyMs: number;
  readonly hasTwoAddresses: boolean;
  /** Whether clients reach the broker by its name server. */
  readonly withoutProxy: boolean;
  /** Whether the brokers are of 4.x, from which consumers pull. Only without a proxy and Nest. */
  readonly pulls: boolean;
  /**
   * Whether there is a second broker: one whose groups have other settings, and which has no messages; or one like the first, with a share of the
   * messages. Only without a proxy and Nest.
   */
  readonly otherBroker: 'none' | 'other settings' | 'same topics';
  /**
   * How producers know what message groups are spread over: from routes, from their options, which needs two brokers with the same topics, or from the
   * name server. A process that knows it from routes begins while all brokers are there.
   */
  readonly layout: (typeof LAYOUTS)[number];
  /** The step between HTTP/2 stream ids. */
  readonly idStep: number;
  readonly flush: 'sync' | 'async';
  readonly requestTimeoutMs: number;
  readonly invisibleDurationMs: number;
  readonly sendEveryMs: number;
  /** The probability of a send with a short timeout. */
  readonly impatience: number;
  /** The probability that a handler fails. */
  readonly failures: number;
  readonly longestHandlerMs: number;
  /** The maximum duration of handlers of ordered groups, which wait for each other. */
  readonly longestStepMs: number;
  readonly longestTransactionMs: number;
  readonly localTransactionTimeoutMs: number;
  readonly bodyBytes: number;
  readonly maxBufferedBytes: number;
  readonly parts: {
    readonly ordered: boolean;
    readonly simple: boolean;
    readonly transactions: boolean;
    /** Whether services are Nest applications. */
    readonly nest: boolean;
    /** Whether another client stores messages with labels that no send of this library accepts. Not with Nest. */
    readonly foreign: boolean;
  };
  /** The grace period of handlers when a Nest application is closed. */
  readonly shutdownGraceMs: number;
  /** When faults and work end. */
  readonly activeMs: number;
  /** The time in which everything settles, unless more was sent than could be handled. */
  readonly settleMs: number;
  /** After this, nothing may happen. */
  readonly idleMs: number;
  readonly faults: readonly Fault[];
}
