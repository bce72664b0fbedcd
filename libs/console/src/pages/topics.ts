// Topics, their messages, and the trail of one message.

import type { BrowseOptions, StoredMessageView } from 'nestjs-rocketmq/admin';
import { shownAttempt, shownEvent } from '../access/failures.js';
import type { Redaction } from '../access/redaction.js';
import { ConsoleRejection } from '../http/exchange.js';
import { CONTROL_MS, DEFAULT_PAGE, MAX_ITEMS, noRecallAt, type PageContext, Parts } from './context.js';
import { failuresElsewhere, shownElsewhere } from './failures.js';
import { Query } from './queries.js';

const MAX_LISTED = 200;
/** Each costs requests to every broker. */
const MAX_GROUPS = 20;
const MAX_IN_FLIGHT = 500;

export async function topics({ watch, request }: PageContext): Promise<object> {
  const query = new Query(request);
  const [text = '', kind] = [
    query.text('text'),
    query.oneOf('kind', ['user', 'retry', 'dead-letter', 'system'], 'user'),
  ];
  const { topics: all, problems, atMs } = await watch.lists();
  const found = all.filter((one) => one.kind === kind && one.topic.includes(text));
  return { atMs, problems, total: found.length, topics: found.slice(0, query.count('limit', MAX_LISTED, 5_000)) };
}

export async function topic({ admin, watch, request: { signal } }: PageContext, name: string): Promise<object> {
  const parts = new Parts();
  const [described, offsets, consumers] = await Promise.all([
    admin.describeTopic(name, { signal }),
    parts.of('queues', admin.topicOffsets(name, { signal }), undefined),
    parts.of('consumer groups', admin.groupsOfTopic(name, { signal }), undefined),
  ]);
  if (described === undefined) throw noTopic(name);
  parts.add([...(offsets?.failures ?? []), ...(consumers?.failures ?? [])]);
  const names = consumers?.consumerGroups ?? [];
  const groups = names.map(async (consumerGroup, index) => {
    const { consumers: connected, deadLetters } = watch.sampleOf(consumerGroup) ?? {};
    const asked =
      index >= MAX_GROUPS
        ? undefined
        : await parts.of(`lag of ${consumerGroup}`, watch.lagOf(consumerGroup, name), undefined);
    const own = asked?.topics.find((one) => one.topic === name);
    return { consumerGroup, lag: own?.lag, retries: own?.retries, consumers: connected, deadLetters };
  });
  const queues = offsets?.queues.map(({ lastTimestampMs: lastUpdateMs, ...queue }) => ({ ...queue, lastUpdateMs }));
  return {
    ...described,
    queues: queues ?? [],
    groups: await Promise.all(groups),
    counts: { messages: offsets?.total, groups: names.length },
    problems: parts.problems,
  };
}

function noTopic(name: string): ConsoleRejection {
  return new ConsoleRejection(404, 'NO_TOPIC', `topic ${name} does not exist`);
}

export async function messages({ admin, redaction, request }: PageContext, name: string): Promise<object> {
  const query = new Query(request);
  const { signal } = request;
  const [messageId, key, text] = [query.text('id'), query.text('key'), query.text('text')];
  const found =
    messageId !== undefined || key !== undefined
      ? await admin.findMessages(
          messageId === undefined ? { topic: name, key: key ?? '', limit: 64 } : { topic: name, messageId },
          { signal },
        )
      : await admin.browseMessages(name, { ...pageOf(query), filter: filterOf(redaction, text), signal });
  return { ...found, messages: found.messages.map((one) => redaction.short(one)) };
}

function pageOf(query: Query): BrowseOptions {
  const [broker, queueId] = [query.text('broker'), query.text('queueId')];
  const [from, to] = [query.time('from'), query.time('to')];
  if (from !== undefined && to !== undefined && from > to)
    throw new ConsoleRejection(400, 'WRONG_PARAMETER', 'parameter from must not be later than to');
  return {
    order: query.oneOf<NonNullable<BrowseOptions['order']>>('order', ['newest-first', 'oldest-first'], 'newest-first'),
    from,
    to,
    ...(broker !== undefined && queueId !== undefined && { queue: { broker, queueId: query.index('queueId') } }),
    limit: query.count('limit', DEFAULT_PAGE, MAX_ITEMS),
    after: query.text('after'),
  };
}

function filterOf(redaction: Redaction, text: string | undefined): BrowseOptions['filter'] {
  return text === undefined ? undefined : (one: StoredMessageView) => redaction.contains(one, text);
}

export async function message(context: PageContext, name: string, messageId: string): Promise<object> {
  const { admin, redaction, source, request } = context;
  const { signal } = request;
  const parts = new Parts();
  const [aheadMs, lists, trail, held] = await Promise.all([
    context.time.offsetMs(),
    parts.of('consumer groups', context.watch.lists(), undefined),
    admin.messageTrail({ topic: name, messageId }, { signal }),
    parts.of(
      'what consumers hold',
      async () =>
        source.control?.().inFlight({ topic: name, messageId, limit: MAX_IN_FLIGHT, signal, timeoutMs: CONTROL_MS }),
      undefined,
    ),
  ]);
  const known = [...trail.stored, ...trail.delayed, ...trail.halfMessages, ...trail.givenUp];
  // Brokers answer alike for a topic that does not have the message and for one that does not exist.
  if (known.length === 0 && (await admin.describeTopic(name, { signal })) === undefined) throw noTopic(name);
  const isShown = redaction.showsBody(known[0]) && known.every((one) => redaction.showsBody(one));
  const attempts = source.application?.attempts(messageId).filter((one) => one.topic === name);
  const elsewhere = await parts.of(
    'the kept failures',
    failuresElsewhere(context, { topic: name, messageId }, attempts ?? []),
    [],
  );
  const events = source.application?.events().filter((one) => one.messageId === messageId);
  const all = <T extends StoredMessageView>(list: readonly T[]) => list.map((one) => redaction.whole(one));
  return {
    ...trail,
    halfMessages: all(trail.halfMessages),
    givenUp: all(trail.givenUp),
    delayed: all(trail.delayed),
    noRecall: trail.stored.length > 0 ? [] : await noRecallAt(context, trail.delayed),
    recalls: all(trail.recalls),
    stored: all(trail.stored),
    groups: trail.groups.map((one) => ({
      ...one,
      isOrdered: lists?.groups.find(({ consumerGroup }) => consumerGroup === one.consumerGroup)?.fifo,
      copies: all(one.copies),
      // Its own name does not say of which topic it is.
      retries: all(one.retries.map((retry) => ({ ...retry, originTopic: name }))),
      deadLetters: all(one.deadLetters),
    })),
    inFlight: held?.items.map((one) => ({ ...one, atMs: one.atMs - aheadMs })),
    attempts: attempts?.map((one) => shownAttempt(one, isShown)),
    elsewhere: elsewhere.map((one) => shownElsewhere(one, isShown)),
    events: events?.map((one) => shownEvent(one, isShown)),
    problems: parts.problems,
  };
}
