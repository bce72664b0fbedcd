import { ago, bytes } from '../lib/format.js';
import { useLive } from '../lib/live.js';
import { useResource } from '../lib/resource.js';
import { may, movedMs, nowMs, session } from '../lib/session.js';
import { lanesOf, mainCopy } from '../lib/trail.js';
import type { Attempt, Body, Message, Trail } from '../types.js';
import {
  BodyText,
  Code,
  Copy,
  Empty,
  type Fact,
  Facts,
  Head,
  Loaded,
  Problems,
  Section,
  Time,
  textsOf,
} from '../ui/parts.js';
import { openSend } from '../ui/send.js';
import { openJump } from '../ui/time-bar.js';
import { openDeliver, openRecall } from './delayed-changes.js';
import { TrailView } from './message-trail.js';

const REFRESH_MS = 5_000;

export function MessagePage({ topic, messageId }: { readonly topic: string; readonly messageId: string }) {
  const path = `topics/${encodeURIComponent(topic)}/messages/${encodeURIComponent(messageId)}`;
  const read = useResource<Trail>(path, REFRESH_MS);
  useLive({});
  const crumbs = [
    { text: 'Topics', parts: ['topics'] },
    { text: topic, parts: ['topics', topic] },
  ];
  return (
    <>
      <Head title={messageId} crumbs={crumbs} isMono>
        {read.value !== undefined && <Tools trail={read.value} path={path} />}
      </Head>
      <Loaded of={read}>{(trail) => <Shown trail={trail} />}</Loaded>
    </>
  );
}

/** When something happens to it next; undefined when nothing is due. */
function nextMs(trail: Trail): number | undefined {
  const isOver = trail.stored.length > 0 || trail.recalls.length > 0;
  const waits = isOver ? [] : trail.delayed.map(({ dueTimestampMs }) => dueTimestampMs);
  const due = [...waits, ...(trail.inFlight ?? []).map(({ atMs }) => atMs)].filter((ms) => ms > nowMs.value);
  return due.length === 0 ? undefined : Math.min(...due);
}

/** A message of its own with what this one has. */
function openLike(trail: Trail, message: Message, text: string): void {
  const { keys, tag = '', messageGroup = '', properties: all } = message;
  const own = Object.entries(all).filter(([name]) => !name.startsWith('DEAD_LETTER_'));
  const type = messageGroup === '' ? (trail.delayed.length === 0 ? undefined : 'delay') : 'fifo';
  const properties = own.length === 0 ? undefined : Object.fromEntries(own);
  openSend(trail.topic, type, { text, keys: keys.join(' '), tag, messageGroup, properties });
}

function Tools({ trail, path }: { readonly trail: Trail; readonly path: string }) {
  const message = mainCopy(trail);
  const body = message?.body;
  const toMs = nextMs(trail);
  const delayed = trail.delayed.at(-1);
  const isWaiting = delayed !== undefined && trail.stored.length === 0 && trail.recalls.length === 0;
  return (
    <>
      {toMs !== undefined && may('time') && session.value?.has.time === true && (
        <button type="button" onClick={() => openJump('Move time to this message', { to: toMs + movedMs.peek() })}>
          Move time to this message, {ago(toMs, nowMs.value)}
        </button>
      )}
      {isWaiting && may('deliver') && session.value?.has.control === true && (
        <button type="button" onClick={() => openDeliver([delayed])}>
          Deliver now
        </button>
      )}
      {isWaiting && may('recall') && trail.noRecall?.includes(delayed.broker) !== true && (
        <button type="button" class="danger" onClick={() => openRecall([delayed])}>
          Cancel
        </button>
      )}
      {message !== undefined && body?.kind === 'text' && !body.isReplaced && !body.isCut && may('send') && (
        <button type="button" onClick={() => openLike(trail, message, body.text)}>
          Send one like this
        </button>
      )}
      <Copy name="ID" text={trail.messageId} />
      {message !== undefined && (
        <a class="button" href={`api/${path}`} download={`${trail.messageId}.json`}>
          Download
        </a>
      )}
    </>
  );
}

function Shown({ trail }: { readonly trail: Trail }) {
  const message = mainCopy(trail);
  if (message === undefined) {
    return (
      <>
        <Problems list={textsOf([...trail.failures, ...trail.problems])} />
        <div class="panel">
          <Empty title="The servers have nothing of this message">
            Check the ID and the topic. Messages are deleted when their retention time is over.
          </Empty>
        </div>
      </>
    );
  }
  return (
    <>
      <Problems list={[...textsOf([...trail.failures, ...trail.problems]), ...missingIn(trail)]} />
      <Facts facts={factsOf(message)} />
      <TrailView lanes={lanesOf(trail, nowMs.value)} />
      {session.value?.has.control === true && (
        <p class="foot">
          An embedded broker remembers the last 2,000 steps of delays, transactions and redeliveries, since it was
          started.
        </p>
      )}
      <Failures title="Failures in this instance" attempts={trail.attempts ?? []} />
      <Failures title="Failures in other instances" attempts={trail.elsewhere} />
      <div class="halves">
        <Section
          title="Body"
          note={bytes(message.body.bytes)}
          tools={message.body.kind === 'text' && <Copy name="body" text={message.body.text} />}
        >
          <div class="panel">
            <BodyView body={message.body} />
          </div>
        </Section>
        <div>
          <Properties title="Properties" properties={message.properties} />
          <Properties title="System properties" properties={message.systemProperties} isClosed />
        </div>
      </div>
    </>
  );
}

/** What handlers threw. */
function Failures({ title, attempts }: { readonly title: string; readonly attempts: readonly Attempt[] }) {
  const failed = attempts.filter(({ error }) => error !== undefined);
  if (failed.length === 0) return null;
  return (
    <Section title={title}>
      {failed.map(({ consumerGroup, deliveryAttempt, startedAtMs, error, stack, next, instance }) => (
        <details key={`${consumerGroup} ${startedAtMs}`} class="more">
          <summary>
            {consumerGroup}, delivery {deliveryAttempt}: {error}{' '}
            <span class="muted">
              then {next}
              {instance !== undefined && `, on ${instance}`}
            </span>
          </summary>
          <Code label={`Stack of delivery ${deliveryAttempt}`}>{stack ?? error ?? ''}</Code>
        </details>
      ))}
    </Section>
  );
}

/** What the trail may lack. */
function missingIn({ gaps, mayBeMore, groups }: Trail): readonly string[] {
  const cut = groups.filter((one) => one.mayBeMore).map(({ consumerGroup }) => consumerGroup);
  return [
    ...textsOf(
      gaps.map(({ name, consumerGroup = 'its delays', error }) => ({ name: `${consumerGroup} on ${name}`, error })),
    ),
    ...(mayBeMore ? ['A broker returned as many copies as it returns of one ID; there may be older ones.'] : []),
    ...textsOf(cut.map((name) => ({ name, error: { message: 'there may be older deliveries than those shown.' } }))),
  ];
}

function factsOf(message: Message): readonly Fact[] {
  const { keys, tag, messageGroup, bornHost, bornTimestampMs, broker, queueId, queueOffset } = message;
  return [
    ['Sent', <Time ms={bornTimestampMs} />, bornHost],
    ['Keys', keys.join(' ') || '–'],
    ['Tag', tag ?? '–'],
    ...(messageGroup === undefined ? [] : [['Message group', messageGroup] as const]),
    ['Stored at', `${broker} / ${queueId}`, `offset ${queueOffset}`],
  ];
}

function BodyView({ body }: { readonly body: Body }) {
  if (body.kind === 'hidden') {
    return (
      <Empty title="Bodies are hidden">
        To show them, set <code>bodies: 'shown'</code> where an application mounts the console, or start it with{' '}
        <code>--bodies shown</code>.
      </Empty>
    );
  }
  if (body.kind === 'binary')
    return <Empty title={`${bytes(body.bytes)} that are not text`}>Base64: {body.base64.slice(0, 120)}</Empty>;
  if (body.bytes === 0) return <Empty title="The body is empty" />;
  return <BodyText text={body.text} />;
}

interface PropertiesProps {
  readonly title: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly isClosed?: boolean;
}

function Properties({ title, properties, isClosed = false }: PropertiesProps) {
  const entries = Object.entries(properties);
  if (entries.length === 0) return null;
  const list = (
    <dl class="panel pairs">
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="mono">{value}</dd>
        </div>
      ))}
    </dl>
  );
  if (!isClosed) return <Section title={title}>{list}</Section>;
  return (
    <details class="more">
      <summary>
        {title} <span class="muted">{entries.length}</span>
      </summary>
      {list}
    </details>
  );
}
