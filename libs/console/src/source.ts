// What the console shows: each way of mounting it provides what it has.

import type { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import type { AdvancedTime, ControlClient, TimeJump, TimeState } from 'nestjs-rocketmq/broker';
import type { OutgoingMessage, SendReceipt } from 'nestjs-rocketmq/client';
import type { Schedule, SqlDatabase } from 'nestjs-rocketmq/sql';

export interface ConsoleSource {
  readonly admin: RocketMQAdmin;
  /** Shown above every page. Default: `RocketMQ`. */
  readonly title?: string;
  /** An embedded broker answers all questions quickly, also those that cost a cluster much. Default: `cluster`. */
  readonly kind?: 'embedded' | 'cluster';
  /** The application in which the console is mounted. Default: none. */
  readonly application?: ConsoleApplication;
  /** The control of an embedded broker. @throws while it does not run. Default: none. */
  readonly control?: () => ControlClient;
  /** The time of an embedded broker that can be moved. Default: that of `control`, if it has one. */
  readonly time?: ConsoleTime;
  /** Sends a message to a topic by its name on the cluster. Default: the console cannot send. */
  readonly send?: (message: OutgoingMessage, options: { readonly signal: AbortSignal }) => Promise<SendReceipt>;
  /** The schedule of an application. @throws until the application has started. Default: none. */
  readonly schedule?: () => ConsoleSchedule;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Durations. */
  readonly monotonicMs: () => number;
  readonly log: (line: string) => void;
}

/** A schedule, and where it is. */
export interface ConsoleSchedule {
  readonly schedule: Schedule;
  readonly database: SqlDatabase;
}

/** What runs in this process. */
export interface ConsoleApplication {
  /** Distinguishes this process from others of the application. */
  readonly instance: string;
  listeners(): readonly ConsoleListener[];
  pause(listener: string): void;
  resume(listener: string): void;
  setConcurrency(listener: string, concurrency: number): void;
  /** The last ones, the newest first. */
  events(): readonly ConsoleEvent[];
  /** The attempts at a message by the handlers of this process, of the last 10,000; the oldest first. */
  attempts(messageId: string): readonly ConsoleAttempt[];
  health(): { readonly status: 'up' | 'down'; readonly details: unknown };
  close(): void;
}

export interface ConsoleListener {
  readonly name: string;
  readonly topic: string;
  readonly consumerGroup: string;
  readonly filter: string;
  readonly status: string;
  readonly concurrency: number | undefined;
  readonly running: number;
  /** After which attempt of a handler it gives a message up; undefined where the server decides. */
  readonly maxAttempts?: number;
}

/** What a handler has done with a message. */
export interface ConsoleAttempt {
  readonly consumerGroup: string;
  readonly topic: string;
  readonly messageId: string;
  readonly deliveryAttempt: number;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Why it failed; undefined when it did not. */
  readonly error?: string;
  /** The name and code of the error, which are shown where its text is not. */
  readonly errorName?: string;
  /** Where, cut. */
  readonly stack?: string;
  /** What follows the failure. */
  readonly next?: string;
  /** When it is redelivered, in milliseconds since 1970; undefined when it is not. */
  readonly retryAtMs?: number;
  readonly isDeadLetter?: boolean;
}

export interface ConsoleEvent {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly kind: string;
  /** What it is about. */
  readonly text: string;
  readonly consumerGroup?: string;
  readonly messageId?: string;
  /** Why a message was dead-lettered. */
  readonly reason?: string;
  /** The message of the error behind it. */
  readonly error?: string;
  /** The name and code of that error, which are shown where its text is not. */
  readonly errorName?: string;
}

/** A time that can be moved forward. */
export interface ConsoleTime {
  /** Undefined when this broker's time cannot be moved. */
  read(options: { readonly signal: AbortSignal }): Promise<TimeState | undefined>;
  advance(target: TimeJump, options: { readonly signal: AbortSignal }): Promise<AdvancedTime>;
}
