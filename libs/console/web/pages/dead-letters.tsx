import { useState } from 'preact/hooks';
import { count } from '../lib/format.js';
import { samples, useLive } from '../lib/live.js';
import { usePages, useResource } from '../lib/resource.js';
import { linkTo, place, setQuery } from '../lib/router.js';
import { may } from '../lib/session.js';
import type { BrokerProblem, DeadLetter, DeadLetterPage } from '../types.js';
import { Peek } from '../ui/message-table.js';
import { Empty, Failure, GroupLink, Head, Loaded, Problems, Time, textsOf } from '../ui/parts.js';
import { Table } from '../ui/table.js';
import { Compared, Replayed } from './dead-letter-compared.js';
import { openReplay } from './replay.js';

const LIMIT = '100';
const REFRESH_MS = 15_000;
const NOT_KEPT = 'not kept';
const MAX_CHIP_LENGTH = 48;
/** Of one kind; the most frequent ones. */
const MAX_CHIPS = 12;

interface Groups {
  readonly groups: readonly { readonly consumerGroup: string; readonly deadLetters: number; readonly atMs: number }[];
  readonly problems: readonly BrokerProblem[];
}

/** The groups that have any. */
export function DeadLetterGroupsPage() {
  const read = useResource<Groups>('dead-letters', REFRESH_MS);
  return (
    <>
      <Head title="Dead letters">
        {may('replay') && (read.value?.groups.length ?? 0) > 0 && (
          <button type="button" data-key="r" onClick={() => openReplay({})}>
            Replay those of all groups
          </button>
        )}
      </Head>
      <Loaded of={read}>
        {({ groups, problems }) => (
          <>
            <Problems list={textsOf(problems)} />
            {groups.length === 0 ? (
              <div class="panel">
                <Empty title="No dead letters">
                  A message becomes a dead letter when a group has failed to handle it as often as it may try.
                </Empty>
              </div>
            ) : (
              <Table
                label="Groups with dead letters"
                rows={groups}
                keyOf={({ consumerGroup }) => consumerGroup}
                hrefOf={({ consumerGroup }) => linkTo(['groups', consumerGroup, 'dead-letters'])}
                columns={[
                  { name: 'Group', cell: ({ consumerGroup }) => consumerGroup },
                  {
                    name: 'Dead letters',
                    width: 130,
                    isNumber: true,
                    cell: ({ consumerGroup, deadLetters }) => (
                      <span class="bad">{count(samples.value.get(consumerGroup)?.deadLetters ?? deadLetters)}</span>
                    ),
                  },
                  { name: 'Seen', width: 140, cell: ({ atMs }) => <Time ms={atMs} isRelative /> },
                ]}
              />
            )}
          </>
        )}
      </Loaded>
    </>
  );
}

/** Those of one group: chosen, compared, and replayed. */
export function DeadLettersPage({ group }: { readonly group: string }) {
  const { query } = place.value;
  const [topic, reason, opened] = [query.get('topic') ?? '', query.get('reason') ?? '', query.get('at') ?? ''];
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const search = new URLSearchParams({ limit: LIMIT, ...(topic !== '' && { topic }) });
  const path = `groups/${encodeURIComponent(group)}/dead-letters?${search}`;
  const read = usePages<DeadLetterPage, DeadLetter>(path, ({ deadLetters }) => deadLetters, REFRESH_MS);
  const { items, more } = read;
  useLive({ groups: [group] });
  const change = (keys: readonly string[], isChosen: boolean): void => {
    const next = new Set(chosen);
    for (const key of keys) isChosen ? next.add(key) : next.delete(key);
    setChosen(next);
  };
  const crumbs = [
    { text: 'Groups', parts: ['groups'] },
    { text: group, parts: ['groups', group] },
  ];
  return (
    <>
      <Head title="Dead letters" crumbs={crumbs}>
        {may('replay') && (
          <>
            {chosen.size === 0 && read.value !== undefined && read.value.total > 0 && (
              <ReplayAll group={group} topic={topic} reason={reason} total={read.value.total} />
            )}
            <button
              type="button"
              class="primary"
              data-key="r"
              disabled={chosen.size === 0}
              onClick={() => openReplay({ consumerGroup: group, positions: [...chosen] })}
            >
              {chosen.size === 0 ? 'Replay' : `Replay ${count(chosen.size)} selected`}
            </button>
          </>
        )}
      </Head>
      <Loaded of={read}>
        {({ failures, total, keepsFailures }) => {
          const shown = items.filter((one) => reason === '' || causeOf(one) === reason);
          return (
            <>
              <Problems list={textsOf(failures)} />
              <Kinds list={items} topic={topic} reason={reason} />
              {shown.length === 0 ? (
                <div class="panel">
                  <Empty title={total === 0 ? 'No dead letters' : 'None of these'}>
                    {total === 0 ? (
                      <>
                        <GroupLink name={group} /> has handled everything, or still tries.
                      </>
                    ) : (
                      'Choose another topic or reason.'
                    )}
                  </Empty>
                </div>
              ) : (
                <Table
                  label={`Dead letters of ${group}`}
                  rows={shown}
                  keyOf={({ position }) => position}
                  hrefOf={({ position }) => hrefOf(position)}
                  selection={may('replay') ? { chosen, change } : undefined}
                  columns={[
                    { name: 'Dead since', width: 124, cell: ({ storeTimestampMs }) => <Time ms={storeTimestampMs} /> },
                    {
                      name: 'Topic',
                      width: 130,
                      cell: ({ originTopic }) => originTopic ?? <span class="warn">unknown</span>,
                    },
                    { name: 'Keys', width: 120, cell: ({ keys }) => keys.join(' ') || '–' },
                    {
                      name: 'Deliveries',
                      width: 92,
                      isNumber: true,
                      isExtra: true,
                      cell: ({ reconsumeTimes }) => reconsumeTimes,
                    },
                    { name: 'Replayed', width: 100, cell: ({ replay }) => <Replayed replay={replay} /> },
                    { name: 'Reason', cell: (one) => <Reason one={one} /> },
                    { name: 'Body', cell: ({ body }) => <Peek body={body} /> },
                  ]}
                />
              )}
              {read.appendError !== undefined && <Failure error={read.appendError} />}
              <p class="foot">
                {count(items.length)} of {count(total)}
                {more !== undefined && (
                  <button type="button" data-key="n" disabled={read.isAppending} onClick={more}>
                    {read.isAppending ? 'Reading…' : 'Read more'}
                  </button>
                )}
              </p>
              {!keepsFailures && items.some((one) => causeOf(one) === NOT_KEPT) && <NotKept />}
              {opened !== '' && (
                <Compared
                  key={opened}
                  group={group}
                  position={opened}
                  reason={items.find(({ position }) => position === opened)?.reason}
                />
              )}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function hrefOf(position: string): string {
  const { parts, query } = place.value;
  return linkTo(parts, { ...Object.fromEntries(query), at: query.get('at') === position ? '' : position });
}

function reasonOf({ reason }: DeadLetter): string {
  return reason ?? NOT_KEPT;
}

/** Texts of errors have ids and numbers in them, so that hardly two are the same. */
function causeOf({ cause, reason = NOT_KEPT }: DeadLetter): string {
  return cause ?? reason;
}

function Reason({ one }: { readonly one: DeadLetter }) {
  return <span class={one.reason === undefined ? 'muted' : ''}>{reasonOf(one)}</span>;
}

interface ReplayAllProps {
  readonly group: string;
  readonly topic: string;
  readonly reason: string;
  readonly total: number;
}

/** All, or all of the topic and reason that are chosen, also those that are not on the page yet. */
function ReplayAll({ group, topic, reason, total }: ReplayAllProps) {
  // What has no reason has nothing in common.
  if (reason === NOT_KEPT) return null;
  const isAll = topic === '' && reason === '';
  const kind = { originTopic: topic || undefined, cause: reason || undefined };
  return (
    <button type="button" onClick={() => openReplay({ consumerGroup: group, ...kind })}>
      {isAll ? `Replay all ${count(total)}` : 'Replay all of these'}
    </button>
  );
}

function NotKept() {
  return (
    <p class="foot">
      <span>
        Reasons that are not kept were in the memory of another instance, or of this one before it was restarted. To
        keep them, set <code>operations</code> of RocketMQModule and <code>operationsTopic</code> of this console.
      </span>
    </p>
  );
}

interface KindsProps {
  readonly list: readonly DeadLetter[];
  readonly topic: string;
  readonly reason: string;
}

/** What they have in common: most lots of dead letters have one cause. */
function Kinds({ list, topic, reason }: KindsProps) {
  const topics = tally(list.map(({ originTopic }) => originTopic ?? 'unknown'));
  const reasons = tally(list.map(causeOf));
  if (topics.length < 2 && reasons.length < 2 && topic === '' && reason === '') return null;
  return (
    <div class="kinds">
      <Chips label="Topic" counts={topics} chosen={topic} onChoose={(one) => setQuery({ topic: one })} />
      <Chips label="Reason" counts={reasons} chosen={reason} onChoose={(one) => setQuery({ reason: one })} />
    </div>
  );
}

interface ChipsProps {
  readonly label: string;
  readonly counts: readonly (readonly [name: string, count: number])[];
  readonly chosen: string;
  readonly onChoose: (name: string) => void;
}

function Chips({ label, counts, chosen, onChoose }: ChipsProps) {
  if (counts.length < 2 && chosen === '') return null;
  const shown = counts.filter(([name], index) => index < MAX_CHIPS || name === chosen);
  return (
    <fieldset>
      <legend class="muted">{label}</legend>
      {shown.map(([name, some]) => (
        <button
          key={name}
          type="button"
          class="pick"
          title={name}
          aria-pressed={name === chosen}
          onClick={() => onChoose(name === chosen ? '' : name)}
        >
          {name.length > MAX_CHIP_LENGTH ? `${name.slice(0, MAX_CHIP_LENGTH - 1)}…` : name}{' '}
          <span class="muted">{count(some)}</span>
        </button>
      ))}
      {counts.length > shown.length && <span class="muted">and {count(counts.length - shown.length)} others</span>}
    </fieldset>
  );
}

function tally(names: readonly string[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].toSorted(([, left], [, right]) => right - left);
}
