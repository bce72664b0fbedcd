// What the server answers, as JSON makes it.

export type Action =
  | 'replay'
  | 'rewind'
  | 'pause'
  | 'recall'
  | 'deliver'
  | 'resume'
  | 'listeners'
  | 'schedule'
  | 'send'
  | 'time'
  | 'faults';

export interface Session {
  readonly nowMs: number;
  readonly viewer?: string;
  readonly actions: readonly Action[];
  /** The name of the cluster or application. */
  readonly title: string;
  readonly kind: 'embedded' | 'cluster';
  readonly has: {
    readonly app: boolean;
    readonly schedule: boolean;
    readonly time: boolean;
    readonly control: boolean;
  };
}

export interface BrokerProblem {
  readonly name: string;
  readonly error: { readonly code?: string; readonly message: string };
}

export type Body =
  | { readonly kind: 'hidden'; readonly bytes: number }
  | {
      readonly kind: 'text';
      readonly bytes: number;
      readonly text: string;
      readonly isCut: boolean;
      /** Whether it is what the rule for bodies shows instead. */
      readonly isReplaced: boolean;
    }
  | { readonly kind: 'binary'; readonly bytes: number; readonly base64: string; readonly isCut: boolean };

export interface Message {
  readonly topic: string;
  readonly messageId: string;
  readonly body: Body;
  readonly tag?: string;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly systemProperties: Readonly<Record<string, string>>;
  readonly messageGroup?: string;
  readonly bornTimestampMs: number;
  readonly bornHost: string;
  readonly storeTimestampMs: number;
  readonly broker: string;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly reconsumeTimes: number;
}

export interface MessagePage<T extends Message = Message> {
  readonly messages: readonly T[];
  readonly next?: string;
  readonly total?: number;
  readonly failures: readonly BrokerProblem[];
}

export interface Delayed extends Message {
  readonly originTopic: string;
  readonly dueTimestampMs: number;
  readonly recallHandle: string;
}

export interface DeadLetter extends Message {
  readonly consumerGroup: string;
  readonly originTopic?: string;
  /** Why its handler failed, where the consumer noted it. */
  readonly reason?: string;
  /** The name and code of that error: what others may have in common with it. */
  readonly cause?: string;
  readonly position: string;
  /** Whether a replay would send it; undefined where the brokers did not say. */
  readonly replay?:
    | { readonly kind: 'replayed' | 'edited' | 'not-replayed' }
    | { readonly kind: 'not-replayable'; readonly error: { readonly message: string } };
}

export interface DeadLetterPage {
  readonly deadLetters: readonly DeadLetter[];
  /** Whether the console knows where applications keep failures. */
  readonly keepsFailures: boolean;
  readonly next?: string;
  readonly total: number;
  readonly failures: readonly BrokerProblem[];
}

export interface GivenUp extends Message {
  readonly originTopic?: string;
  readonly offsetMessageId: string;
}

export interface OpenTransaction extends Message {
  readonly checks: number;
  readonly nextCheckMs: number;
}

export interface Sample {
  readonly consumerGroup: string;
  readonly atMs: number;
  readonly lag: number;
  readonly retries: number;
  readonly deadLetters: number;
  readonly consumers?: number;
  /** Messages a second. */
  readonly rates?: { readonly arriving: number; readonly delivered: number };
  readonly problem?: string;
}

export interface Overview {
  readonly nowMs: number;
  readonly atMs: number;
  readonly brokers: readonly { readonly name: string; readonly address: string; readonly text: string }[];
  readonly problems: readonly string[];
  readonly counts: {
    readonly topics: number;
    readonly groups: number;
    readonly sampled: number;
    readonly lag: number;
    readonly deadLetters: number;
  };
  readonly troubles: {
    readonly deadLetters: readonly Sample[];
    readonly growing: readonly Sample[];
    readonly unattended: readonly Sample[];
    readonly differing?: readonly { readonly consumerGroup: string; readonly topic: string; readonly text: string }[];
    readonly skew?: readonly { readonly broker: string; readonly skewMs: number }[];
    /** Their brokers did not answer. */
    readonly unknown?: readonly Sample[];
  };
}

export interface Topic {
  readonly topic: string;
  readonly type: string;
  readonly queues: number;
  readonly kind: string;
  readonly brokers: readonly { readonly name: string }[];
}

export interface TopicPage {
  readonly topic: string;
  readonly type: string;
  readonly queues: readonly {
    readonly broker: string;
    readonly queueId: number;
    readonly minOffset: number;
    readonly maxOffset: number;
    readonly lastUpdateMs?: number;
  }[];
  readonly groups: readonly {
    readonly consumerGroup: string;
    readonly lag?: number;
    readonly consumers?: number;
    readonly deadLetters?: number;
  }[];
  readonly counts: { readonly messages?: number; readonly groups: number };
  readonly problems: readonly BrokerProblem[];
}

export interface ShownSetting {
  readonly text: string;
  readonly isWrong: boolean;
}

export interface TrailCopy extends Message {
  readonly isPassed: boolean;
}

export interface Trail {
  readonly topic: string;
  readonly messageId: string;
  readonly halfMessages: readonly Message[];
  readonly givenUp: readonly Message[];
  readonly delayed: readonly Delayed[];
  /** The brokers at which nothing can be canceled. */
  readonly noRecall?: readonly string[];
  readonly recalls: readonly Message[];
  readonly stored: readonly Message[];
  readonly groups: readonly {
    readonly consumerGroup: string;
    /** Whether it is an ordered group, whose position passes only what is settled; undefined when that is not known. */
    readonly isOrdered?: boolean;
    readonly copies: readonly TrailCopy[];
    readonly retries: readonly (TrailCopy & { readonly attempt: number; readonly firstReceivedMs?: number })[];
    readonly deadLetters: readonly Message[];
    readonly mayBeMore: boolean;
  }[];
  readonly mayBeMore: boolean;
  /** What was not read. */
  readonly gaps: readonly (BrokerProblem & { readonly consumerGroup?: string })[];
  readonly failures: readonly BrokerProblem[];
  /** What consumers hold now, of an embedded broker. */
  readonly inFlight?: readonly Delivery[];
  /** The calls of this application's handlers. */
  readonly attempts?: readonly Attempt[];
  /** Failures that other instances have kept. */
  readonly elsewhere: readonly Attempt[];
  /** What this application has seen of it. */
  readonly events?: readonly AppEvent[];
  readonly problems: readonly BrokerProblem[];
}

export interface Attempt {
  readonly consumerGroup: string;
  readonly deliveryAttempt: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly error?: string;
  readonly stack?: string;
  readonly next?: string;
  readonly retryAtMs?: number;
  readonly isDeadLetter?: boolean;
  /** Of one elsewhere. */
  readonly instance?: string;
}

export interface Delivery {
  readonly group: string;
  readonly state: 'held' | 'retry' | 'ready';
  readonly attempt: number;
  /** The end of the lease, or of the wait. */
  readonly atMs: number;
  readonly clientId?: string;
}

export interface AppEvent {
  readonly atMs: number;
  readonly kind: string;
  readonly text: string;
  readonly consumerGroup?: string;
  readonly messageId?: string;
  readonly reason?: string;
}

export interface Due {
  readonly atMs: number;
  readonly kind: string;
  readonly topic: string;
  readonly messageId?: string;
  readonly consumerGroup?: string;
}

export interface TimePage {
  readonly nowMs: number;
  readonly offsetMs: number;
  readonly nextDueAtMs?: number;
  readonly due: readonly Due[];
  readonly dueMore: boolean;
}

export interface AuditEntry {
  readonly reason?: string;
  readonly atMs: number;
  readonly viewer?: string;
  readonly remoteAddress?: string;
  readonly action: string;
  readonly target: Readonly<Record<string, string>>;
  readonly outcome: 'done' | 'partly' | 'failed' | 'rejected';
  readonly text: string;
}

export interface Plan {
  readonly plan: string;
  readonly expiresAtMs?: number;
  readonly action: string;
  readonly preview: unknown;
}

export interface Outcome {
  readonly outcome: 'done' | 'partly';
  readonly text: string;
  readonly details: unknown;
}
