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
  /** Gives all brokers the same, as an example: ordered if one is, and the most attempts of any. Undefined where `brokers` is empty. */
  readonly command: string | undefined;
}

/** The most that a proxy can count to. */
const MAX_ATTEMPTS = 2 ** 31 - 1;
/** What a new group has. */
const DEFAULT_ATTEMPTS = 17;

export function settingsOf({ consumerGroup, brokers }: GroupDescription): ShownSettings {
  // On brokers of 4.x the consumers decide.
  const orders = [
    ...new Set(brokers.filter((one) => one.keepsRules !== false).map(({ fifo }) => (fifo ? 'fifo' : ''))),
  ];
  const attempts = [...new Set(brokers.map(({ maxDeliveryAttempts: most }) => attemptsOf(most)))];
  const order = { text: orders.length > 1 ? 'differs' : (orders[0] ?? ''), isWrong: orders.length > 1 };
  const isNone = attempts.includes('none');
  const many = { text: attempts.length > 1 ? 'differs' : (attempts[0] ?? ''), isWrong: isNone || attempts.length > 1 };
  if (!order.isWrong && !many.isWrong) return { order, attempts: many, brokers: [], command: undefined };
  const texts = brokers.map(({ name, fifo, maxDeliveryAttempts: most }) => {
    const count = attemptsOf(most);
    const why =
      count === 'none' ? `no attempts: retryMaxTimes is ${most - 1}, so a proxy delivers nothing` : `${count} attempts`;
    return `${name}: ${fifo ? 'ordered' : 'not ordered'}, ${why}`;
  });
  const most = Math.max(...brokers.map((one) => one.maxDeliveryAttempts).filter(isDeliverable));
  const flags = [
    ...(order.isWrong ? ['--fifo'] : []),
    ...(many.isWrong ? [`--max-attempts ${Number.isFinite(most) ? most : DEFAULT_ATTEMPTS}`] : []),
  ];
  const name = consumerGroup.includes('|') ? `'${consumerGroup}'` : consumerGroup;
  const command = `npx nestjs-rocketmq group create ${name} ${flags.join(' ')} --yes --name-server NAMESERVER:9876`;
  return { order, attempts: many, brokers: texts, command };
}

function attemptsOf(most: number): string {
  return isDeliverable(most) ? String(most) : 'none';
}

function isDeliverable(most: number): boolean {
  return most >= 1 && most <= MAX_ATTEMPTS;
}
