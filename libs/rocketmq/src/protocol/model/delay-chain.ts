// How a delay that is none of a broker's levels is made of several: the message goes through a topic of its own, from which a relay sends it on.

/** What producers do with a delay that is none of the levels of a broker. */
export type LevelChoice = 'exact' | 'round-up' | DelayRelayNames;

/** The topic that messages wait in for the rest of their delay, and the group of those that send them on. */
export interface DelayRelayNames {
  readonly topic: string;
  readonly consumerGroup: string;
}

/** The names by default. */
export const DELAY_RELAY = { topic: 'nestjs-rocketmq-delays', consumerGroup: 'nestjs-rocketmq-delays' } as const;

/** The property with the topic that a message in the relay's topic is for. */
export const DELAYED_TOPIC_PROPERTY = 'rocketmq-delayed-topic';
/** The property with the time at which it is due there, in milliseconds since the epoch. */
export const DELAYED_UNTIL_PROPERTY = 'rocketmq-delayed-until';
