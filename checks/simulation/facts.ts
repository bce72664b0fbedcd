// The facts of a run, which the checkers verify.

/** The outcome of a call, as reported to its caller. */
export type SendOutcome = 'acknowledged' | 'not-sent' | 'rejected' | 'unknown' | 'under way';

/** One call of `send`. */
export interface SendFact {
  readonly key: string;
  readonly topic: string;
  readonly messageGroup?: string | undefined;
  readonly process: string;
  readonly atMs: number;
  /** The timeout of the call. */
  readonly timeoutMs: number;
  endMs: number | undefined;
  outcome: SendOutcome;
  error?: string;
}

/** One run of a handler. */
export interface HandlingFact {
  readonly key: string;
  readonly group: string;
  readonly process: string;
  readonly attempt: number;
  readonly startMs: number;
  endMs: number | undefined;
  /** `unsure`: the server may have accepted the ack of a simple consumer or not. */
  end: 'done' | 'failed' | 'unsure' | undefined;
  /** When the library stopped waiting for the handler. */
  abandonedMs?: number;
  /** Whether the received message differs from the sent one. */
  isAltered?: boolean;
}

/** A graceful close. */
export interface CloseFact {
  readonly process: string;
  readonly atMs: number;
  readonly tookMs: number;
  /** The maximum duration by its options. */
  readonly limitMs: number;
}

/** A start that failed. */
export interface StartFact {
  readonly process: string;
  readonly fromMs: number;
  readonly atMs: number;
  readonly error: string;
}

/** One local transaction with its message. */
export interface TransactionFact {
  readonly key: string;
  readonly process: string;
  readonly atMs: number;
  readonly durationMs: number;
  transactionId: string | undefined;
  endMs: number | undefined;
  /** The code of the error that the method failed with. */
  error: string | undefined;
}

/** A period in which otherwise impossible things may happen. */
export interface Disturbance {
  readonly kind: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** The affected processes; undefined for all. */
  readonly processes: readonly string[] | undefined;
  /**
   * Its only possible effect: calls are not sent, transactions are considered too old, or what is being handled comes to another process. Undefined: any
   * effect.
   */
  readonly only?: 'not sent' | 'fenced' | 'divided anew';
}

/** A connection of a client. */
export interface ConnectionFact {
  readonly process: string;
  readonly atMs: number;
}

/** A period in which a consumer group was paused on all brokers. */
export interface PauseFact {
  readonly group: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A dead letter in the broker. */
export interface DeadFact {
  readonly key: string;
  readonly group: string;
}

export interface Facts {
  /** In the order of the calls. */
  readonly sends: readonly SendFact[];
  readonly handlings: readonly HandlingFact[];
  readonly transactions: readonly TransactionFact[];
  readonly disturbances: readonly Disturbance[];
  /** Periods in which a closing service may release messages. */
  readonly releases: readonly { readonly fromMs: number; untilMs: number }[];
  /**
   * Whether idle polls, each with room for one message, can use up the room of another poll. Messages of that poll that do not fit are
   * redelivered when their leases end.
   */
  readonly isTight: boolean;
  /** Whether consumers pull: attempts are counted by the owner of a queue. */
  readonly pulls: boolean;
  readonly dead: readonly DeadFact[];
  /** The resolution in the database, by transaction id. */
  readonly resolutions: ReadonlyMap<string, string>;
  /** The remaining half messages. */
  readonly halves: readonly string[];
  /** The attempts of a listener before its message is dead-lettered. */
  readonly maxAttempts: number;
  /** The deliveries after which the server dead-letters a message. */
  readonly attemptsOfServer: number;
  /** The same of the groups whose listeners have no limit of their own. */
  readonly limited: Readonly<Record<string, number>>;
  /** The dead letters that the hook of a listener has seen. */
  readonly announced: readonly DeadFact[];
  readonly groupsOf: Readonly<Record<string, readonly string[]>>;
  /** Periods before a crash of the broker whose acknowledged changes may not be on disk. */
  readonly forgotten: readonly { readonly fromMs: number; readonly untilMs: number }[];
  /** The connections that clients began to open. */
  readonly connections: readonly ConnectionFact[];
  /** Connections, other than the first of each client, that harmless faults explain: GOAWAY, refused streams, exhausted stream ids. */
  readonly renewals: readonly ConnectionFact[];
  /** Resources that remained open after everything was closed. */
  readonly leaks: readonly string[];
  readonly uncaught: readonly string[];
  /** The maximum bytes of decompressed bodies that were not handled yet. */
  readonly peakUnpackedBytes: number;
  readonly bufferBound: number;
  readonly closes: readonly CloseFact[];
  readonly failedStarts: readonly StartFact[];
  readonly pauses: readonly PauseFact[];
  /** Calls and closes that did not end. */
  readonly hanging: readonly string[];
}

/** What handlers had of each message, by message and group, in the order in which they began. */
export function byDelivery(handlings: readonly HandlingFact[]): Map<string, HandlingFact[]> {
  const found = new Map<string, HandlingFact[]>();
  for (const handling of handlings) {
    const what = `${handling.key} for ${handling.group}`;
    const known = found.get(what);
    if (known === undefined) found.set(what, [handling]);
    else known.push(handling);
  }
  return found;
}
