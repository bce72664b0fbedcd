// The settings of a consumer group for a viewer: each broker goes by its own.

import type { GroupDescription } from 'nestjs-rocketmq/admin';

/** A setting as it is shown, once for all brokers that agree. */
interface ShownSetting {
  readonly text: string;
  /** Whether an operator has to change something. */
  readonly isWrong: boolean;
}

interface ShownSettings {
  readonly order: ShownSetting;
  readonly attempts: ShownSetting;
  /** What each broker has; empty where all have the same, and it can be delivered by it. */
  readonly brokers: readonly string[];
}

/** The most that a proxy can count to. */
const MOST_ATTEMPTS = 2 ** 31 - 1;

export function settingsOf({ brokers }: GroupDescription): ShownSettings {
  const orders = [...new Set(brokers.map(({ fifo }) => (fifo ? 'fifo' : '')))];
  const attempts = [...new Set(brokers.map(({ maxDeliveryAttempts: most }) => attemptsOf(most)))];
  const order = { text: orders.length > 1 ? 'differs' : (orders[0] ?? ''), isWrong: orders.length > 1 };
  const isNone = attempts.includes('none');
  const many = { text: attempts.length > 1 ? 'differs' : (attempts[0] ?? ''), isWrong: isNone || attempts.length > 1 };
  if (!order.isWrong && !many.isWrong) return { order, attempts: many, brokers: [] };
  const texts = brokers.map(({ name, fifo, maxDeliveryAttempts: most }) => {
    const count = attemptsOf(most);
    const why =
      count === 'none' ? `no attempts: retryMaxTimes is ${most - 1}, so a proxy delivers nothing` : `${count} attempts`;
    return `${name}: ${fifo ? 'ordered' : 'not ordered'}, ${why}`;
  });
  return { order, attempts: many, brokers: texts };
}

function attemptsOf(most: number): string {
  return most >= 1 && most <= MOST_ATTEMPTS ? String(most) : 'none';
}
