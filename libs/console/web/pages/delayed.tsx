import { useState } from 'preact/hooks';
import { count, plural } from '../lib/format.js';
import { usePages, useResource } from '../lib/resource.js';
import { linkTo, place, setQuery } from '../lib/router.js';
import { may, nowMs, session } from '../lib/session.js';
import type { BrokerProblem, Delayed, MessagePage } from '../types.js';
import { Peek } from '../ui/message-table.js';
import { Empty, Failure, Head, Loaded, Problems, Search, Section, Switch, Time, textsOf } from '../ui/parts.js';
import { type Selection, Table } from '../ui/table.js';
import { openDeliver, openRecall } from './delayed-changes.js';
import { HeatMap, SPANS, type SpanName } from './heat-map.js';

const REFRESH_MS = 10_000;
const LIMIT = '100';

interface Calendar {
  readonly byMinute: readonly { readonly atMs: number; readonly count: number }[];
  readonly total: number;
  readonly isPartial: boolean;
  readonly failures?: readonly BrokerProblem[];
}

interface Waiting extends Delayed {
  /** Whether its broker cancels nothing. */
  readonly isKept: boolean;
}

interface Page extends MessagePage<Delayed> {
  readonly noRecall?: readonly string[];
}

function waitingIn({ messages, noRecall = [] }: Page): readonly Waiting[] {
  return messages.map((one) => ({ ...one, isKept: noRecall.includes(one.broker) }));
}

export function DelayedPage() {
  const { query } = place.value;
  const [topic, by] = [query.get('topic') ?? '', (query.get('by') ?? 'minute') as SpanName];
  const [fromMs, toMs] = [Number(query.get('from') ?? 0), Number(query.get('to') ?? Number.POSITIVE_INFINITY)];
  const ofTopic = topic === '' ? '' : `topic=${encodeURIComponent(topic)}`;
  const calendar = useResource<Calendar>(`delayed/calendar?${ofTopic}`, REFRESH_MS);
  const path = `delayed?limit=${LIMIT}&${ofTopic}`;
  const read = usePages<Page, Waiting>(path, waitingIn, REFRESH_MS);
  const { items, more } = read;
  const isChosen = query.has('from');
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const chosen = items.filter((one) => selected.has(placeOf(one)));
  const select = (keys: readonly string[], isSelected: boolean): void => {
    const next = new Set(selected);
    for (const key of keys) isSelected ? next.add(key) : next.delete(key);
    setSelected(next);
  };
  return (
    <>
      <Head title="Delayed">
        <Chosen messages={chosen} />
        <Search label="Filter by topic" isSlow value={topic} onInput={(one) => setQuery({ topic: one })} />
      </Head>
      <Loaded of={calendar}>
        {({ byMinute, total, isPartial }) => (
          <Section
            title={plural(total, 'message is waiting', 'messages are waiting')}
            note={isPartial ? 'Only the last ones are counted: there are too many to read all.' : undefined}
            tools={
              <Switch
                label="Each cell is"
                options={SPANS}
                value={by}
                onChange={(one) => setQuery({ by: one === 'minute' ? '' : one, from: '', to: '' })}
              />
            }
          >
            <HeatMap
              counts={byMinute}
              by={by}
              nowMs={nowMs.value}
              chosenMs={isChosen ? fromMs : undefined}
              onChoose={(from, to) => setQuery({ from: from === undefined ? '' : String(from), to: String(to ?? '') })}
            />
          </Section>
        )}
      </Loaded>
      <Loaded of={read}>
        {({ failures }) => (
          <>
            <Problems list={textsOf(failures)} />
            <List
              messages={items.filter(({ dueTimestampMs: ms }) => !isChosen || (ms >= fromMs && ms < toMs))}
              isChosen={isChosen}
              selection={{ chosen: selected, change: select }}
            />
            {read.appendError !== undefined && <Failure error={read.appendError} />}
            <p class="foot">
              {count(items.length)} read
              {isChosen && (
                <button type="button" onClick={() => setQuery({ from: '', to: '' })}>
                  Show all times
                </button>
              )}
              {more !== undefined && (
                <button type="button" data-key="n" disabled={read.isAppending} onClick={more}>
                  Read more
                </button>
              )}
            </p>
          </>
        )}
      </Loaded>
    </>
  );
}

/** What can be done to those that are selected: a change is of one topic. */
function Chosen({ messages }: { readonly messages: readonly Waiting[] }) {
  const { mayDeliver, mayRecall } = rightsAt(messages);
  if (messages.length === 0 || (!mayDeliver && !mayRecall)) return null;
  const isOneTopic = new Set(messages.map(({ originTopic }) => originTopic)).size === 1;
  const title = isOneTopic ? undefined : 'Select messages of one topic';
  return (
    <>
      {mayDeliver && (
        <button type="button" disabled={!isOneTopic} title={title} onClick={() => openDeliver(messages)}>
          Deliver {count(messages.length)} now
        </button>
      )}
      {mayRecall && (
        <button type="button" class="danger" disabled={!isOneTopic} title={title} onClick={() => openRecall(messages)}>
          Cancel {count(messages.length)}
        </button>
      )}
    </>
  );
}

function rightsAt(messages: readonly Waiting[]) {
  const mayRecall = may('recall') && !messages.every(({ isKept }) => isKept);
  return { mayDeliver: may('deliver') && session.value?.has.control === true, mayRecall };
}

function placeOf({ broker, queueId, queueOffset, messageId }: Delayed): string {
  return `${broker}/${queueId}/${queueOffset}/${messageId}`;
}

interface ListProps {
  readonly messages: readonly Waiting[];
  readonly isChosen: boolean;
  readonly selection: Selection;
}

function List({ messages, isChosen, selection }: ListProps) {
  if (messages.length === 0) {
    return (
      <div class="panel">
        <Empty title={isChosen ? 'None of those that were read is due then' : 'No message is waiting'}>
          {isChosen
            ? 'Read more, or show all times.'
            : 'Messages that are sent with a delay wait here until they are due.'}
        </Empty>
      </div>
    );
  }
  const { mayDeliver, mayRecall } = rightsAt(messages);
  const tools = (one: Waiting) => (
    <span class="row-tools">
      {mayDeliver && (
        <button type="button" class="small" onClick={() => openDeliver([one])}>
          Deliver now
        </button>
      )}
      {mayRecall && !one.isKept && (
        <button type="button" class="small" onClick={() => openRecall([one])}>
          Cancel
        </button>
      )}
    </span>
  );
  return (
    <Table
      label="Delayed messages"
      rows={messages.toSorted((left, right) => left.dueTimestampMs - right.dueTimestampMs)}
      keyOf={placeOf}
      {...((mayDeliver || mayRecall) && { selection })}
      hrefOf={({ originTopic, messageId }) => linkTo(['topics', originTopic, 'messages', messageId])}
      columns={[
        { name: 'Due', width: 170, cell: ({ dueTimestampMs }) => <Time ms={dueTimestampMs} isCoarse /> },
        {
          name: 'In',
          width: 96,
          isNumber: true,
          cell: ({ dueTimestampMs }) => <Time ms={dueTimestampMs} isRelative />,
        },
        { name: 'Topic', width: 150, cell: ({ originTopic }) => originTopic },
        { name: 'Keys', width: 130, isExtra: true, cell: ({ keys }) => keys.join(' ') },
        { name: 'Body', cell: ({ body }) => <Peek body={body} /> },
        ...(mayDeliver || mayRecall
          ? [{ name: 'Change', width: mayDeliver && mayRecall ? 186 : 110, cell: tools } as const]
          : []),
      ]}
    />
  );
}
