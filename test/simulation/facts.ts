// What a run leaves behind, for those who judge it.

/** How a call ended: what its caller may conclude. */
export type SendOutcome = 'acknowledged' | 'not-sent' | 'rejected' | 'unknown' | 'under way';

/** One call of `send`. */
export interface SendFact {
  readonly key: string;
  readonly topic: string;
  readonly messageGroup?: string | undefined;
  readonly process: string;
  readonly atMs: number;
  /** What the call had. */
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
  /** `unsure`: the ack of a simple consumer may have been taken or not. */
  end: 'done' | 'failed' | 'unsure' | undefined;
  /** Nobody waits for the handler from then on, whatever it does. */
  abandonedMs?: number;
  /** Whether it got something else than was sent. */
  isAltered?: boolean;
}

/** A close in good order. */
export interface CloseFact {
  readonly process: string;
  readonly atMs: number;
  readonly tookMs: number;
  /** What it may take, by its options. */
  readonly limitMs: number;
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

/** A time in which something may happen that cannot happen otherwise. */
export interface Disturbance {
  readonly kind: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** The processes that it meets; all when undefined. */
  readonly processes: readonly string[] | undefined;
  /** Nothing else can come of it: calls that were not sent; transactions that others take for older than they are. Anything when left out. */
  readonly only?: 'not sent' | 'fenced';
}

/** A connection of a client. */
export interface ConnectionFact {
  readonly process: string;
  readonly atMs: number;
}

/** A dead letter as the broker keeps it. */
export interface DeadFact {
  readonly key: string;
  readonly group: string;
}

export interface Facts {
  readonly sends: readonly SendFact[];
  readonly handlings: readonly HandlingFact[];
  readonly transactions: readonly TransactionFact[];
  readonly disturbances: readonly Disturbance[];
  /** When services closed. */
  readonly handBacks: readonly { readonly fromMs: number; untilMs: number }[];
  /**
   * Whether idle polls, each of which has room for one message, may fill the room that another poll was promised: what that one brings and is
   * not kept is delivered again when its lease ends.
   */
  readonly isTight: boolean;
  readonly dead: readonly DeadFact[];
  /** What the database says of each transaction id. */
  readonly resolutions: ReadonlyMap<string, string>;
  /** Half messages that are left. */
  readonly halves: readonly string[];
  /** Attempts that a listener has before its message is a dead letter. */
  readonly maxAttempts: number;
  /** Deliveries after which the server makes it one. */
  readonly attemptsOfServer: number;
  readonly groupsOf: Readonly<Record<string, readonly string[]>>;
  /** When what was acknowledged may not be on the disk yet, and the broker died. */
  readonly forgotten: readonly { readonly fromMs: number; readonly untilMs: number }[];
  /** Connections that clients began to open. */
  readonly connections: readonly ConnectionFact[];
  /** Those that harmless faults are a reason for, beside the first of each client: GOAWAY, refused streams, stream ids that run out. */
  readonly renewals: readonly ConnectionFact[];
  /** What was left behind after all had been closed. */
  readonly leaks: readonly string[];
  readonly uncaught: readonly string[];
  /** Of bodies, unpacked and not handled yet, at most. */
  readonly mostUnpackedBytes: number;
  readonly bufferBound: number;
  readonly closes: readonly CloseFact[];
  /** Longer than this nothing waits: no call, no close. */
  readonly hanging: readonly string[];
}
