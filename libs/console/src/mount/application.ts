// The application in which the console is mounted: its listeners, its health, and its last events.

import { hostname } from 'node:os';
import type { RocketMQEvent, RocketMQEvents, RocketMQHealth, RocketMQListeners } from 'nestjs-rocketmq';
import type { ConsoleApplication, ConsoleEvent } from '../source.js';

const MOST_EVENTS = 500;

interface ApplicationParts {
  readonly listeners: RocketMQListeners;
  readonly health: RocketMQHealth;
  readonly events: RocketMQEvents;
}

export function applicationOf({ listeners, health, events }: ApplicationParts): ConsoleApplication {
  const recent: ConsoleEvent[] = [];
  const subscription = events.events$.subscribe((event) => {
    recent.unshift(eventOf(event));
    if (recent.length > MOST_EVENTS) recent.pop();
  });
  return {
    instance: `${hostname()}, process ${process.pid}`,
    listeners: () => listeners.states(),
    pause: (name) => listeners.pause(name),
    resume: (name) => listeners.resume(name),
    setConcurrency: (name, concurrency) => listeners.setConcurrency(name, concurrency),
    events: () => [...recent],
    health: () => {
      const report = health.report();
      return { status: report.isReady ? 'up' : 'down', details: report };
    },
    close: () => subscription.unsubscribe(),
  };
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
  const text = [...(error === undefined ? [] : [messageOf(error)]), ...about].join(', ');
  const own = (name: 'consumerGroup' | 'messageId' | 'reason') =>
    typeof fields[name] === 'string' ? { [name]: fields[name] } : {};
  const cause = error === undefined ? {} : { error: messageOf(error) };
  return { atMs, kind, text, ...cause, ...own('consumerGroup'), ...own('messageId'), ...own('reason') };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
