// What the server answers about consumer groups, as JSON makes it.

import type { BrokerProblem, Sample, ShownSetting } from './types.js';

/** The settings of a group on its brokers. */
export interface GroupSettings {
  readonly order: ShownSetting;
  readonly attempts: ShownSetting;
  /** What each broker has, where something is wrong. */
  readonly brokers: readonly string[];
  /** Gives all brokers the same. */
  readonly command?: string;
}

/** Why a group is paused. */
export interface GroupPause {
  readonly reason?: string;
  readonly by?: string;
  readonly sinceMs?: number;
}

export interface Group {
  readonly consumerGroup: string;
  readonly pause?: GroupPause;
  readonly settings: GroupSettings;
  readonly sample?: Sample;
}

export interface LagPoint {
  readonly atMs: number;
  readonly lag: number;
  readonly deadLetters?: number;
}

export interface QueueLag {
  readonly broker: string;
  readonly queueId: number;
  readonly brokerOffset: number;
  readonly consumerOffset: number;
  readonly hasStarted: boolean;
  readonly lag: number;
  readonly lastTimestampMs?: number;
}

export interface Subscription {
  readonly topic: string;
  readonly kind: string;
  readonly expression: string;
}

export interface GroupPage {
  readonly consumerGroup: string;
  readonly pause?: GroupPause;
  readonly brokers: readonly { readonly name: string; readonly isPaused?: boolean }[];
  readonly maxDeliveryAttempts: number;
  readonly settings: GroupSettings;
  readonly isOwn?: boolean;
  /** After how many attempts listeners of this application give a message up. */
  readonly ownAttempts?: readonly number[];
  readonly topics: readonly string[];
  readonly sample?: Sample;
  readonly problems: readonly BrokerProblem[];
  /** Undefined when it could not be read. */
  readonly lag?: {
    readonly lag: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly lag: number;
      readonly retries: number;
      readonly queues: readonly QueueLag[];
    }[];
    readonly failures: readonly BrokerProblem[];
  };
  /** Undefined when they could not be read. */
  readonly clients?: {
    readonly clients: readonly {
      readonly clientId: string;
      readonly address: string;
      readonly language: string;
      readonly brokers: readonly string[];
      readonly subscriptions?: readonly Subscription[];
    }[];
    readonly subscriptions: readonly Subscription[];
    readonly differences?: readonly {
      readonly topic: string;
      readonly members: readonly { readonly clientId: string; readonly subscription?: Subscription }[];
    }[];
    readonly failures: readonly BrokerProblem[];
  };
  readonly history: readonly LagPoint[];
}
