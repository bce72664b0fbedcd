// Versions of a topic's bodies: what a sender marks, and how a receiver makes the current version of an older one.

import type { MessageView, TopicType } from '../../protocol/model/message.js';
import { UsageError } from '../../support/errors.js';
import { isIntegerFrom } from '../../support/options.js';
import { InvalidBodyError, type NewerVersion } from './invalid-body.js';

/** The property with the version of the body; none means version 1. */
export const BODY_VERSION_PROPERTY = 'rocketmq-body-version';

/**
 * Steps from older versions of a body: step 2 makes version 3 of a body of version 2. It gets the decoded body before the schema, and may be
 * asynchronous. When it throws, the body is invalid.
 */
// biome-ignore lint/suspicious/noExplicitAny: what was sent by an older version has no type here
export type BodyUpgrades = Readonly<Record<number, (body: any) => unknown>>;

/** How the bodies of a topic have changed. */
export interface BodyVersions {
  /** The version that is sent. Undefined: 1, without the property. */
  readonly version: number | undefined;
  readonly upgrade: BodyUpgrades | undefined;
}

/** A topic as its versions see it. */
interface VersionedTopic extends BodyVersions {
  /** Undefined for a topic that is given by its name. */
  readonly type: TopicType | undefined;
}

const MAX_VERSIONS = 1_000;

/** @param where begins the message of the error @throws UsageError that names the field */
export function assertVersions(where: string, { version, upgrade }: BodyVersions): void {
  if (version !== undefined && !isIntegerFrom(version, 1, MAX_VERSIONS)) {
    const text = `${where}: version must be an integer from 1 to ${MAX_VERSIONS}, not ${String(version)}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'version');
  }
  if (upgrade === undefined) return;
  const reject = (problem: string): never => {
    throw new UsageError('ILLEGAL_OPTION', `${where}: upgrade ${problem}`, 'upgrade');
  };
  if (typeof upgrade !== 'object' || upgrade === null) reject('must be an object of functions');
  const current = version ?? 1;
  const names = Object.keys(upgrade);
  const strange = names.find((name) => !isIntegerFrom(Number(name), 1, current - 1));
  if (strange !== undefined)
    reject(`has a step ${strange}, but the steps are from 1 to ${current - 1}, below the version`);
  const broken = names.find((name) => typeof upgrade[Number(name)] !== 'function');
  if (broken !== undefined) reject(`must have a function as step ${broken}`);
  const oldest = Math.min(...names.map(Number), current);
  for (let step = oldest; step < current; step++) if (!(step in upgrade)) reject(`has no step ${step}`);
}

/** The properties of a message that is sent by the definition of its topic, which decides about the version: others may be passed on from another message. */
export function versionProperties(
  { type, version }: VersionedTopic,
  properties: Readonly<Record<string, string>> | undefined,
): { readonly properties?: Readonly<Record<string, string>> } {
  if (type === undefined) return properties === undefined ? {} : { properties };
  if (version !== undefined) return { properties: { ...properties, [BODY_VERSION_PROPERTY]: String(version) } };
  if (properties === undefined) return {};
  const { [BODY_VERSION_PROPERTY]: _, ...others } = properties;
  return { properties: others };
}

/** NaN for a property that is no number. */
function sentVersion({ properties }: MessageView): number {
  return Number(properties[BODY_VERSION_PROPERTY] ?? 1);
}

/** Undefined for a body of a version that the definition knows, and for a topic that is given by its name. */
export function newerVersion(
  { type, version = 1 }: Pick<VersionedTopic, 'type' | 'version'>,
  message: MessageView,
): NewerVersion | undefined {
  if (type === undefined) return undefined;
  const sent = sentVersion(message);
  return sent > version ? { sent, known: version } : undefined;
}

/** The body, or a promise of it when there are steps. @throws InvalidBodyError that names the versions, never the body */
export function upgradedBody(definition: VersionedTopic, message: MessageView, sent: unknown): unknown {
  const { type, version = 1 } = definition;
  // By the name of a topic, any version is taken as it is.
  if (type === undefined) return sent;
  const { topic, messageId } = message;
  const from = sentVersion(message);
  if (!isIntegerFrom(from, 1, Number.MAX_SAFE_INTEGER)) {
    throw new InvalidBodyError(topic, messageId, `has no number as its version (property ${BODY_VERSION_PROPERTY})`);
  }
  return from < version ? upgradedFrom(from, definition, message, sent) : sent;
}

async function upgradedFrom(
  from: number,
  { version = 1, upgrade = {} }: BodyVersions,
  { topic, messageId }: MessageView,
  sent: unknown,
): Promise<unknown> {
  let body = sent;
  for (let step = from; step < version; step++) {
    const next = upgrade[step];
    const path = `of version ${from} cannot become version ${version}`;
    if (next === undefined) throw new InvalidBodyError(topic, messageId, `${path}: there is no step ${step}`);
    try {
      body = await next(body);
    } catch (cause) {
      // The text of the cause may quote the body.
      throw new InvalidBodyError(topic, messageId, `${path}: step ${step} has failed`, { cause });
    }
  }
  return body;
}
