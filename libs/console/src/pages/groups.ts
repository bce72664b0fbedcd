// Consumer groups and their dead letters.

import {
  type DeadLetterView,
  type FailureRecord,
  type GroupDescription,
  positionOf,
  REPLAY_PROPERTY,
  type RocketMQAdmin,
  RocketMQError,
  type StoredMessageView,
} from 'nestjs-rocketmq/admin';
import { shownEvent, shownRecord } from '../access/failures.js';
import type { Redaction } from '../access/redaction.js';
import { groupOfDeadLetters } from '../cluster/group-sample.js';
import type { ReplayState } from '../cluster/replay-watch.js';
import { ConsoleRejection } from '../http/exchange.js';
import type { ConsoleEvent, ConsoleSource } from '../source.js';
import { DEFAULT_PAGE, inTurns, MAX_ITEMS, type PageContext, Parts } from './context.js';
import { failureOfMessage, keptFailures } from './failures.js';
import { settingsOf } from './group-settings.js';
import { Query } from './queries.js';

const MAX_LISTED = 200;
/** How many pages are read to find dead letters of one topic. */
const MAX_PAGES = 10;
/** How long dead letters are counted; then the page is partial. */
const COUNTING_MS = 10_000;

export async function groups({ watch, request }: PageContext): Promise<object> {
  const query = new Query(request);
  const text = query.text('text') ?? '';
  const { groups: all, problems, atMs } = await watch.lists();
  const found = all.filter(({ consumerGroup }) => consumerGroup.includes(text));
  const listed = found.slice(0, query.count('limit', MAX_LISTED, 5_000));
  return {
    atMs,
    problems,
    total: found.length,
    groups: listed.map((one) => ({ ...one, settings: settingsOf(one), sample: watch.sampleOf(one.consumerGroup) })),
  };
}

export async function group({ admin, watch, request, source }: PageContext, name: string): Promise<object> {
  const { signal } = request;
  const range = new Query(request).oneOf('range', ['hour', 'day'], 'hour');
  const parts = new Parts();
  const [described, lag, clients] = await Promise.all([
    admin.describeGroup(name, { signal }),
    parts.of('lag', watch.lagOf(name), undefined),
    parts.of('clients', admin.groupClients(name, { signal, compareMembers: watch.comparesMembers }), undefined),
  ]);
  if (described === undefined) throw noGroup(name);
  parts.add([...(lag?.failures ?? []), ...(clients?.failures ?? [])]);
  const topics = [...(lag?.topics ?? []), ...(clients?.subscriptions ?? [])].map(({ topic }) => topic);
  return {
    ...described,
    settings: settingsOf(described),
    lag,
    clients,
    topics: [...new Set(topics)].sort(),
    isOwn: watch.isOwn(name),
    ownAttempts: ownAttempts(source, described),
    sample: watch.sampleOf(name),
    history: watch.historyOf(name)?.points(range) ?? [],
    problems: parts.problems,
  };
}

/** As the applications have kept it; nothing where the topic is not known. */
export async function lagHistory({ keptLag, operationsTopic }: PageContext, name: string): Promise<object> {
  return { operationsTopic, hours: [], failures: [], ...(await keptLag.of(name)) };
}

function noGroup(name: string): ConsoleRejection {
  return new ConsoleRejection(404, 'NO_GROUP', `consumer group ${name} does not exist`);
}

/** Brokers answer alike for a group that has nothing and for one that does not exist. @throws ConsoleRejection for the latter */
async function assertGroup(admin: RocketMQAdmin, name: string, signal: AbortSignal): Promise<void> {
  if ((await admin.describeGroup(name, { signal })) === undefined) throw noGroup(name);
}

/** After how many attempts the listeners of this application give a message up, each number once; empty when none is of the group. */
function ownAttempts({ application }: ConsoleSource, { consumerGroup, maxDeliveryAttempts: most }: GroupDescription) {
  const own = application?.listeners().filter((one) => one.consumerGroup === consumerGroup) ?? [];
  const attempts = own.map(({ maxAttempts = most }) => Math.min(maxAttempts, most));
  return [...new Set(attempts)].sort((left, right) => left - right);
}

export async function deadLetters(context: PageContext, name: string): Promise<object> {
  const { admin, redaction, request } = context;
  const query = new Query(request);
  const limit = query.count('limit', DEFAULT_PAGE, MAX_ITEMS);
  const topic = query.text('topic');
  let page = await admin.listDeadLetters(name, { limit, after: query.text('after'), signal: request.signal });
  if (page.total === 0 && page.failures.length === 0) await assertGroup(admin, name, request.signal);
  const isMeant = ({ originTopic }: DeadLetterView): boolean => topic === undefined || originTopic === topic;
  const found = page.deadLetters.filter(isMeant);
  for (let pages = 1; found.length < limit && page.next !== undefined && pages < MAX_PAGES; pages++) {
    page = await admin.listDeadLetters(name, {
      limit: limit - found.length,
      after: page.next,
      signal: request.signal,
    });
    found.push(...page.deadLetters.filter(isMeant));
  }
  const parts = new Parts();
  const [kept, replayOf] = await Promise.all([
    parts.of('the kept failures', keptFailures(context, name), undefined),
    parts.of('which were replayed', replaysIn(context, found), undefined),
  ]);
  parts.add([...page.failures, ...(kept?.failures ?? [])]);
  const reasonOf = reasonsIn(context, kept?.records ?? []);
  return {
    ...page,
    failures: parts.problems,
    keepsFailures: context.operationsTopic !== undefined,
    deadLetters: found.map((one) => ({
      ...shortDeadLetter(redaction, one),
      ...reasonOf(one),
      replay: replayOf?.(one),
    })),
  };
}

/** What a replay would skip or could not send, as its plan shows it. */
async function replaysIn({ replays, edited, request }: PageContext, list: readonly DeadLetterView[]) {
  const stateOf = await replays.statesOf(list, request.signal);
  return (one: DeadLetterView): ReplayState | { readonly kind: 'edited' } | undefined => {
    const state = stateOf(one);
    // No broker knows an edited copy.
    const isEdited = state?.kind !== 'replayed' && edited.has({ ...one, position: positionOf(one) });
    return isEdited ? { kind: 'edited' } : state;
  };
}

/** Why a message is a dead letter is not stored with it; the application that gave it up may know, or have kept it. */
function reasonsIn({ redaction, source }: PageContext, records: readonly FailureRecord[]) {
  const events = source.application?.events() ?? [];
  return (one: DeadLetterView): { readonly reason?: string | undefined; readonly cause?: string | undefined } => {
    const record = failureOfMessage(records, one.messageId);
    if (record !== undefined) {
      const { error, errorName } = shownRecord(record, redaction.showsBody(one));
      return { reason: error, cause: errorName };
    }
    const event = events.find((known) => isOf(known, one));
    const shown = event && shownEvent(event, redaction.showsBody(one));
    const cause = event?.error === undefined ? event?.reason : event.errorName;
    return { reason: shown?.error ?? shown?.reason, cause };
  };
}

/** What dead letters of one kind have in common, as their page shows it. @throws when the kept failures cannot be read */
export async function causesOf(
  context: PageContext,
  name: string,
): Promise<(one: DeadLetterView) => string | undefined> {
  const { records, failures } = await keptFailures(context, name);
  const [failure] = failures;
  if (failure !== undefined) throw failure.error;
  const reasonOf = reasonsIn(context, records);
  return (one) => reasonOf(one).cause;
}

function isOf({ kind, messageId, consumerGroup }: ConsoleEvent, one: DeadLetterView): boolean {
  return kind === 'dead-lettered' && messageId === one.messageId && consumerGroup === one.consumerGroup;
}

/** A dead letter beside the message that it was. */
export async function compare(context: PageContext, name: string): Promise<object> {
  const { admin, redaction, request } = context;
  const { signal } = request;
  const deadLetter = await deadLetterAt(admin, name, new Query(request).needed('position'), signal);
  const parts = new Parts();
  const [original, replayOf] = await Promise.all([
    parts.of('the original message', originalOf(admin, deadLetter, signal), undefined),
    parts.of('whether it was replayed', replaysIn(context, [deadLetter]), undefined),
  ]);
  return {
    deadLetter: {
      ...redaction.whole(deadLetter),
      position: positionOf(deadLetter),
      replay: replayOf?.(deadLetter),
    },
    original: original && redaction.whole(original),
    problems: parts.problems,
  };
}

/** @throws ConsoleRejection when it is no longer stored */
export async function deadLetterAt(
  admin: RocketMQAdmin,
  consumerGroup: string,
  position: string,
  signal: AbortSignal,
): Promise<DeadLetterView> {
  const listed = admin.listDeadLetters(consumerGroup, { limit: 1, after: position, signal });
  const page = await listed.catch((error: unknown) => {
    // Its queue is gone as well, or ends before.
    if (!RocketMQError.is(error) || error.code !== 'ILLEGAL_POSITION') throw error;
  });
  const [one] = page?.deadLetters ?? [];
  if (one !== undefined && positionOf(one) === position) return one;
  throw new ConsoleRejection(
    404,
    'NO_DEAD_LETTER',
    `group ${consumerGroup} has no dead letter at ${position} any more; nothing was changed`,
  );
}

async function originalOf(
  admin: RocketMQAdmin,
  { originTopic: topic, messageId }: DeadLetterView,
  signal: AbortSignal,
): Promise<StoredMessageView | undefined> {
  if (topic === undefined) return undefined;
  const { messages } = await admin.findMessages({ topic, messageId }, { signal });
  return messages.find(({ properties }) => properties[REPLAY_PROPERTY] === undefined);
}

/** The groups that have dead letters. */
export async function allDeadLetters({ admin, watch, source, nowMs, request }: PageContext): Promise<object> {
  const { signal } = request;
  const { topics, problems } = await watch.lists();
  const endMs = source.monotonicMs() + COUNTING_MS;
  let left = 0;
  const parts = new Parts();
  const names = topics.filter(({ kind }) => kind === 'dead-letter').map(({ topic }) => topic);
  const counted = await inTurns(names, async (topic) => {
    const consumerGroup = groupOfDeadLetters(topic);
    const sample = watch.sampleOf(consumerGroup);
    const isKnown = sample !== undefined && sample.problem === undefined;
    const known = isKnown ? { consumerGroup, deadLetters: sample.deadLetters, atMs: sample.atMs } : undefined;
    if (known !== undefined && nowMs() - known.atMs < 2 * watch.sampleMs) return known;
    if (source.monotonicMs() > endMs) {
      // What is known for longer says more than nothing; the page shows from when it is.
      if (known === undefined) left++;
      return known;
    }
    const offsets = await parts.of(consumerGroup, admin.topicOffsets(topic, { signal }), undefined);
    if (offsets === undefined) return undefined;
    parts.add(offsets.failures);
    return { consumerGroup, deadLetters: offsets.total, atMs: nowMs() };
  });
  if (left > 0) {
    const error = new Error(`not counted in ${COUNTING_MS / 1_000} s; the page asks again`);
    parts.add([{ name: `${left} groups`, error }]);
  }
  const found = counted.filter((one) => one !== undefined && one.deadLetters > 0);
  return { groups: found, problems: [...problems.map(textProblem), ...parts.problems] };
}

function textProblem(text: string) {
  const [name = '', ...rest] = text.split(': ');
  return { name, error: new Error(rest.join(': ')) };
}

export function shortDeadLetter(redaction: Redaction, one: DeadLetterView) {
  return { ...redaction.short(one), position: positionOf(one) };
}
