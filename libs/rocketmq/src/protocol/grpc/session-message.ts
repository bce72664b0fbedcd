// What a client reads from its session: the commands of a proxy, and what the gateway adds in the same process.

import type { Settings } from './generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from './generated/apache/rocketmq/v2/service.js';

/** Other consumers have queues now, and with them these deliveries. */
interface LeasesLost {
  readonly $case: 'leasesLost';
  readonly value: { readonly receiptHandles: readonly string[] };
}

/** A queue that brings nothing more until a message is settled. */
export interface HeldUpQueue {
  /** `%RETRY%` with the name of the group: the queue of its retries. */
  readonly topic: string;
  readonly brokerName: string;
  readonly queueId: number;
  /** The message that the position of the group cannot pass. */
  readonly messageId: string | undefined;
  /** How many messages were received behind it; another owner of the queue would get them again. */
  readonly behind: number;
}

/** All such queues, in the place of what was said before. */
interface QueuesHeldUp {
  readonly $case: 'queuesHeldUp';
  readonly value: { readonly queues: readonly HeldUpQueue[] };
}

/** What a server can do, as far as its answer to the settings of a consumer has shown. */
export interface AnnouncedCapabilities {
  /** Counts no attempt for a message that is released with `suspend`, except in ordered groups: Apache RocketMQ from 5.5.0 on. */
  readonly suspends: boolean;
  /** See `ServerCapabilities`. */
  readonly cancelsFreely: boolean;
}

interface AnsweredSettings {
  readonly $case: 'settings';
  readonly value: Settings;
  /** Undefined: it is read from the settings. */
  readonly announced?: AnnouncedCapabilities | undefined;
}

/** A message of a session. */
export type SessionMessage = Omit<TelemetryCommand, 'command'> & {
  readonly command?:
    | Exclude<TelemetryCommand['command'], { $case: 'settings' }>
    | AnsweredSettings
    | LeasesLost
    | QueuesHeldUp;
};
