// The attributes in which brokers keep the binding of a consumer group to lite topics. @see SubscriptionGroupAttributes of the server

import { DEFAULT_LITE_QUOTA, type LiteGroup } from '../model/lite-group.js';

const TOPIC = 'lite.bind.topic';
const QUOTA = 'lite.sub.client.quota';
const MODEL = 'lite.sub.model';

/** A group's attributes as a broker returns them. */
export function toLiteAttributes({ topic, subscriptionQuota, exclusive }: LiteGroup): Record<string, string> {
  return {
    [TOPIC]: topic,
    ...(subscriptionQuota === undefined ? {} : { [QUOTA]: String(subscriptionQuota) }),
    ...(exclusive === undefined ? {} : { [MODEL]: exclusive ? 'Exclusive' : 'Shared' }),
  };
}

/** Undefined for a group that is not bound to lite topics. */
export function fromLiteAttributes(attributes: Readonly<Record<string, string>>): Required<LiteGroup> | undefined {
  const { [TOPIC]: topic, [QUOTA]: quota, [MODEL]: model } = attributes;
  if (topic === undefined || topic === '') return undefined;
  return { topic, subscriptionQuota: Number(quota ?? DEFAULT_LITE_QUOTA), exclusive: model === 'Exclusive' };
}

/** The attributes as a request changes them: each one is set. */
export function asChanges(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`+${name}`, value]));
}

/** The attributes that a request sets; the reverse of {@link asChanges}. Undefined for a change of another kind. */
export function fromChanges(changes: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const entries = Object.entries(changes);
  if (!entries.every(([name]) => name.startsWith('+'))) return undefined;
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(1), value]));
}
