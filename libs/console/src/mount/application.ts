// The application in which the console is mounted: its listeners, its health, and its last events.

import { hostname } from 'node:os';
import type { HandlerAttempt, RocketMQEvent, RocketMQEvents, RocketMQHealth, RocketMQListeners } from 'nestjs-rocketmq';
import { beginningOf, failureOf, nextOf } from '../access/failures.js';
import type { ConsoleApplication, ConsoleAttempt, ConsoleEvent } from '../source.js';

const MAX_EVENTS = 500;
const MAX_ATTEMPTS = 10_000;
const MAX_TEXT_LENGTH = 1_000;

interface ApplicationParts {
  readonly listeners: RocketMQListeners;
  readonly health: RocketMQHealth;
  readonly events: RocketMQEvents;
}

export function applicationOf({ listeners, health, events }: ApplicationParts): ConsoleApplication {
  const recent: ConsoleEvent[] = [];
  const subscription = events.events$.subscribe((event) => {
    recent.unshift(eventOf(event));
    if (recent.length > MAX_EVENTS) recent.pop();
  });
  const attempts = new Ring<ConsoleAttempt>(MAX_ATTEMPTS);
  subscription.add(events.attempts$.subscribe((attempt) => attempts.add(attemptOf(attempt))));
  return {
    instance: `${hostname()}, process ${process.pid}`,
    listeners: () => listeners.states(),
    pause: (name) => listeners.pause(name),
    resume: (name) => listeners.resume(name),
    setConcurrency: (name, concurrency) => listeners.setConcurrency(name, concurrency),
    events: () => [...recent],
    attempts: (messageId) => attempts.filter((one) => one.messageId === messageId),
    health: () => {
      const report = health.report();
      return { status: report.isReady ? 'up' : 'down', details: report };
    },
    close: () => subscription.unsubscribe(),
  };
}

/** The last of many: what is shifted out of a long array costs its length. */
class Ring<T> {
  private readonly items: T[] = [];
  private next = 0;

  constructor(private readonly most: number) {}

  add(item: T): void {
    this.items[this.next] = item;
    this.next = (this.next + 1) % this.most;
  }

  /** The oldest first. */
  filter(isMeant: (item: T) => boolean): T[] {
    return [...this.items.slice(this.next), ...this.items.slice(0, this.next)].filter(isMeant);
  }
}

function attemptOf({ result, durationMs, ...attempt }: HandlerAttempt): ConsoleAttempt {
  const { consumerGroup, topic, messageId, deliveryAttempt, startedAtMs } = attempt;
  const shown = { consumerGroup, topic, messageId, deliveryAttempt, startedAtMs, endedAtMs: startedAtMs + durationMs };
  if (result.kind === 'handled') return shown;
  return { ...shown, ...failureOf(result.error), ...nextOf(result.settlement, shown.endedAtMs) };
}

/** What a person reads of an event; these fields say what it is about. */
const SHOWN = [
  'listener',
  'role',
  'consumerGroup',
  'topic',
  'liteTopic',
  'messageId',
  'transactionId',
  'endpoint',
  'reason',
  'concurrency',
  'deliveryAttempt',
  'unfinished',
  'resolution',
  'during',
] as const;

function eventOf(event: RocketMQEvent): ConsoleEvent {
  const fields = event as RocketMQEvent & Partial<Record<(typeof SHOWN)[number] | 'error', unknown>>;
  const about = SHOWN.filter((name) => fields[name] !== undefined).map((name) => `${name} ${String(fields[name])}`);
  const { atMs, type: kind, error } = fields;
  const text = beginningOf(about.join(', '), MAX_TEXT_LENGTH);
  const own = (name: 'consumerGroup' | 'messageId' | 'reason') =>
    typeof fields[name] === 'string' ? { [name]: fields[name] } : {};
  const shown = { atMs, kind, text, ...own('consumerGroup'), ...own('messageId'), ...own('reason') };
  if (error === undefined) return shown;
  const { error: cause, errorName } = failureOf(error);
  return { ...shown, error: cause, errorName };
}
