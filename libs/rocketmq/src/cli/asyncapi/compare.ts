// What changed between two AsyncAPI documents of an application, and whether that breaks somebody. What is received must still be accepted as
// older senders send it; what is sent must still fit what older receivers accept.

import { tagsOf } from '../../protocol/model/filter.js';
import type { DocumentView, MessageView, OperationView } from './document-view.js';
import { SchemaInclusion } from './schema-inclusion.js';
import type { Doubt, Verdict } from './verdict.js';

/**
 * - `breaking`: somebody fails who did not before
 * - `unknown`: the comparison cannot decide
 * - `compatible`: nobody fails
 */
export type ChangeKind = 'breaking' | 'unknown' | 'compatible';

/** One change. */
export interface Change {
  readonly kind: ChangeKind;
  /** The operation, `receive Billing.bill`. */
  readonly where: string;
  readonly what: string;
}

/** All changes, in the order of the operations of the older document. */
export function changesBetween(older: DocumentView, newer: DocumentView): Change[] {
  const pairs = pairsOf(older.operations, newer.operations);
  const kept = new Set(pairs.map(([, after]) => after));
  return [
    ...pairs.flatMap(([before, after]) =>
      after === undefined ? removed(before) : changed(before, after, older, newer),
    ),
    ...newer.operations
      .filter((one) => !kept.has(one))
      .map((one) => change('compatible', one, `${subject(one)} is new`)),
  ];
}

/** The operations of the older document with those of the newer one: by key, otherwise by what they do, since methods are renamed. */
function pairsOf(
  older: readonly OperationView[],
  newer: readonly OperationView[],
): (readonly [OperationView, OperationView | undefined])[] {
  const sameKey = (one: OperationView): OperationView | undefined =>
    newer.find(({ key, action, channel }) => key === one.key && action === one.action && channel === one.channel);
  const free = new Set(newer);
  for (const one of older) {
    const same = sameKey(one);
    if (same !== undefined) free.delete(same);
  }
  return older.map((one) => {
    const same = sameKey(one) ?? [...free].find((other) => identity(other) === identity(one));
    if (same !== undefined) free.delete(same);
    return [one, same] as const;
  });
}

function identity({ action, channel, consumerGroup, filter, messages, answers }: OperationView): string {
  const tags = messages.map(({ tag }) => tag);
  return JSON.stringify([action, channel, consumerGroup, filter, tags, answers !== undefined]);
}

function removed(operation: OperationView): Change[] {
  return [change('breaking', operation, `${subject(operation)} is no longer there`)];
}

function changed(before: OperationView, after: OperationView, older: DocumentView, newer: DocumentView): Change[] {
  return [
    ...(before.key === after.key ? [] : [change('compatible', before, `is named ${after.key} now`)]),
    ...(before.type === after.type ? [] : [typeChange(before, after)]),
    ...receivingChanges(before, after),
    ...messageChanges(before, after, older, newer),
    ...answerChanges(before, after, older, newer),
  ];
}

function typeChange(before: OperationView, after: OperationView): Change {
  const what = `the type of topic ${before.channel} was ${typeName(before)} and is ${typeName(after)}`;
  // A topic that is given by its name has no type in the document.
  const isKnown = before.type !== undefined && after.type !== undefined;
  return change(isKnown ? 'breaking' : 'unknown', before, what);
}

function typeName({ type }: OperationView): string {
  return type === undefined ? 'not declared' : String(type);
}

function receivingChanges(before: OperationView, after: OperationView): Change[] {
  const changes: Change[] = [];
  if (before.consumerGroup !== after.consumerGroup) {
    const what = `the consumer group was ${before.consumerGroup} and is ${after.consumerGroup}; nobody handles what waits for the old one`;
    changes.push(change('breaking', before, what));
  }
  if (before.mode !== after.mode)
    changes.push(
      change(
        'breaking',
        before,
        'messages go to one instance of the application instead of all, or the other way round',
      ),
    );
  if (before.filter !== after.filter) changes.push(filterChange(before, after));
  return [...changes, ...liteTopicChanges(before, after)];
}

function liteTopicChanges(before: OperationView, after: OperationView): Change[] {
  const without = (some: OperationView, others: OperationView): string[] =>
    some.liteTopics.filter((one) => !others.liteTopics.includes(one));
  const [gone, added] = [without(before, after), without(after, before)];
  return [
    ...(gone.length === 0
      ? []
      : [change('breaking', before, `messages of the lite topics ${gone.join(', ')} are no longer received`)]),
    ...(added.length === 0
      ? []
      : [change('compatible', before, `messages of the lite topics ${added.join(', ')} are received now`)]),
  ];
}

function filterChange(before: OperationView, after: OperationView): Change {
  const what = `the filter was ${before.filter} and is ${after.filter}`;
  const [old, now] = [tagsIn(before.filter), tagsIn(after.filter)];
  if (now === 'every') return change('compatible', before, what);
  if (old === undefined || now === undefined) return change('unknown', before, what);
  const isMore = old !== 'every' && [...old].every((tag) => now.has(tag));
  return change(isMore ? 'compatible' : 'breaking', before, what);
}

/** Undefined for an expression over properties. */
function tagsIn(filter: string): ReadonlySet<string> | 'every' | undefined {
  return filter.startsWith('{') ? undefined : tagsOf(filter);
}

function messageChanges(
  before: OperationView,
  after: OperationView,
  older: DocumentView,
  newer: DocumentView,
): Change[] {
  const isSent = before.action === 'send';
  return bodyChanges(before, 'the body', isSent, [before.messages, after.messages], older, newer);
}

function answerChanges(
  before: OperationView,
  after: OperationView,
  older: DocumentView,
  newer: DocumentView,
): Change[] {
  const [old, now] = [before.answers, after.answers];
  if (old === undefined && now === undefined) return [];
  if (old === undefined) return [change('compatible', before, 'it has answers now')];
  if (now === undefined) return [change('breaking', before, 'it no longer has answers')];
  // The receiver of a request sends its answer.
  return bodyChanges(before, 'the answer', before.action === 'receive', [old, now], older, newer);
}

function bodyChanges(
  operation: OperationView,
  body: string,
  isSent: boolean,
  [old, now]: readonly [readonly MessageView[], readonly MessageView[]],
  older: DocumentView,
  newer: DocumentView,
): Change[] {
  // Each kind that is sent must fit one of those that are accepted.
  const [sent, accepted] = isSent ? [now, old] : [old, now];
  const inclusion = isSent ? new SchemaInclusion(newer.root, older.root) : new SchemaInclusion(older.root, newer.root);
  return sent.flatMap((message) => {
    const results = accepted.map((other) => fitting(operation, body, isSent, message, other, inclusion));
    const least = [...results].sort((one, other) => weight(one) - weight(other))[0];
    return least ?? [change('breaking', operation, `${body} had no message to compare with`)];
  });
}

function weight(changes: readonly Change[]): number {
  return changes.reduce((sum, { kind }) => sum + { breaking: 1_000, unknown: 100, compatible: 1 }[kind], 0);
}

function fitting(
  operation: OperationView,
  body: string,
  isSent: boolean,
  sent: MessageView,
  accepted: MessageView,
  inclusion: SchemaInclusion,
): Change[] {
  const [old, now] = isSent ? [accepted, sent] : [sent, accepted];
  const changes: Change[] = [];
  const add = (kind: ChangeKind, what: string): void => {
    changes.push(change(kind, operation, what));
  };
  const missing = now.missing ?? old.missing;
  if (missing !== undefined) {
    add('unknown', `${body} is not in the document: ${missing} leads nowhere`);
    return changes;
  }
  if (old.tag !== now.tag) add('breaking', `the tag was ${tagText(old)} and is ${tagText(now)}`);
  if (old.contentType !== now.contentType)
    add(
      'breaking',
      `the content type of ${body} was ${old.contentType ?? 'not declared'} and is ${now.contentType ?? 'not declared'}`,
    );
  const versions = versionChange(body, isSent, old, now);
  if (versions !== undefined) {
    add(...versions);
    // Bodies of another version have another schema.
    return changes;
  }
  const direction = isSent ? 'receivers of the older version' : 'this version';
  for (const { kind, where, why } of byPlace(inclusion.included(sent.headers, accepted.headers)))
    add(kind === 'no' ? 'breaking' : 'unknown', `${direction}: ${where || 'it'} in the headers of ${body} ${why}`);
  const whySchema = `has a schema that the document does not contain (${String(now.noSchema ?? old.noSchema)})`;
  if (sent.payload === undefined && accepted.payload === undefined) {
    if ((old.noSchema ?? now.noSchema) !== undefined) add('unknown', `${body} ${whySchema}`);
    return changes;
  }
  if (old.payload === undefined || now.payload === undefined) {
    const isHidden = (old.noSchema ?? now.noSchema) !== undefined;
    const text = old.payload === undefined ? 'has a schema now' : 'has no schema in the document any more';
    add('unknown', `${body} ${isHidden ? whySchema : text}`);
    return changes;
  }
  for (const { kind, where, why } of byPlace(inclusion.included(sent.payload, accepted.payload))) {
    const place = where === '' ? body : `${where} in ${body}`;
    add(kind === 'no' ? 'breaking' : 'unknown', `${direction}: ${place} ${why}`);
  }
  return changes;
}

function versionChange(
  body: string,
  isSent: boolean,
  old: MessageView,
  now: MessageView,
): [kind: ChangeKind, what: string] | undefined {
  const text = `the version of ${body} was ${old.version} and is ${now.version}`;
  if (isSent)
    return old.version === now.version ? undefined : ['breaking', `${text}; older receivers do not accept it`];
  if (now.version < old.version) return ['breaking', `${text}; what is sent already is not accepted`];
  if (now.oldest > old.oldest) return ['breaking', `${text}; bodies of version ${old.oldest} are no longer upgraded`];
  return now.version === old.version ? undefined : ['compatible', `${text}; older bodies are upgraded`];
}

function tagText({ tag }: MessageView): string {
  return tag === undefined ? 'none' : String(tag);
}

/** One line for each place says enough. */
function byPlace(verdict: Verdict): Doubt[] {
  const places = new Map<string, Doubt>();
  for (const doubt of verdict) {
    const known = places.get(doubt.where);
    if (known === undefined || (known.kind === 'unknown' && doubt.kind === 'no')) places.set(doubt.where, doubt);
  }
  return [...places.values()];
}

function subject({ action, channel, answers, consumerGroup }: OperationView): string {
  if (answers !== undefined)
    return action === 'send' ? `the request to ${channel}` : `the handler of requests to ${channel}`;
  if (action === 'send') return `the send to ${channel}`;
  return consumerGroup === undefined
    ? `the listener of ${channel}`
    : `the listener of ${channel} in group ${consumerGroup}`;
}

function change(kind: ChangeKind, { action, key }: OperationView, what: string): Change {
  return { kind, where: `${action} ${key}`, what };
}
