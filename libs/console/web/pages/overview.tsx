import type { ComponentChildren } from 'preact';
import { count, duration, plural } from '../lib/format.js';
import { overview, useOverview } from '../lib/overview.js';
import { linkTo } from '../lib/router.js';
import { session } from '../lib/session.js';
import type { Overview, Sample } from '../types.js';
import { Empty, Facts, GroupLink, Head, Loaded, Problems, Section, Time } from '../ui/parts.js';
import { Table } from '../ui/table.js';

const REFRESH_MS = 5_000;
/** While no group has been read: the first ones are within a second. */
const FIRST_MS = 1_000;

const PROXIES = ' Consumers at a proxy in cluster mode are counted only if the console knows its address.';

/** What is wrong, first. */
export function OverviewPage() {
  const { sampled, groups } = overview.value?.counts ?? {};
  const read = useOverview(sampled === 0 && groups !== 0 ? FIRST_MS : REFRESH_MS);
  return (
    <>
      <Head title="Overview" />
      <Loaded of={read}>{(value) => <Shown value={value} />}</Loaded>
    </>
  );
}

function Shown({ value }: { readonly value: Overview }) {
  const { counts, troubles, brokers, problems } = value;
  const { deadLetters, growing, unattended, differing = [], skew = [], unknown = [] } = troubles;
  const isFine = [deadLetters, growing, unattended, differing, skew, unknown].every(({ length }) => length === 0);
  const isLooking = counts.sampled < counts.groups;
  const isKnown = counts.sampled > 0 || counts.groups === 0;
  return (
    <>
      <Problems list={problems} />
      <Facts
        isLarge
        facts={[
          [
            'Waiting messages',
            isKnown ? count(counts.lag) : '…',
            isLooking ? `${counts.sampled} of ${counts.groups} groups read` : undefined,
          ],
          [
            'Dead letters',
            <a class={counts.deadLetters === 0 ? '' : 'bad'} href={linkTo(['dead-letters'])}>
              {isKnown ? count(counts.deadLetters) : '…'}
            </a>,
          ],
          ['Groups', <a href={linkTo(['groups'])}>{count(counts.groups)}</a>],
          ['Topics', <a href={linkTo(['topics'])}>{count(counts.topics)}</a>],
          ['Brokers', count(brokers.length), versionsOf(brokers)],
        ]}
      />
      <Trouble
        title="Nobody consumes"
        note={`Messages wait, the group does not move ahead, and no consumer of it is known. Start one, or delete the group.${session.value?.kind === 'cluster' ? PROXIES : ''}`}
        rows={unattended}
        value={({ lag }) => plural(lag, 'message')}
      />
      <Trouble
        title="Lag grows"
        note="More messages arrive than the group handles. Raise its concurrency, or add instances."
        rows={growing}
        value={({ lag }) => plural(lag, 'message')}
      />
      <Trouble
        title="Dead letters"
        note="Their handlers failed, and they are no longer retried. Fix the cause, then replay them; replayed ones count until their retention is over."
        rows={deadLetters}
        value={({ deadLetters: dead }) => plural(dead, 'dead letter')}
        part="dead-letters"
      />
      {differing.length > 0 && (
        <Section
          title={<Wrong>Subscriptions differ</Wrong>}
          note="Clients of one group must subscribe to the same. Otherwise messages are lost to filters that change."
        >
          <ul class="panel list">
            {differing.map(({ consumerGroup, topic, text }) => (
              <li key={`${consumerGroup} ${topic}`}>
                <GroupLink name={consumerGroup} />
                <span class="grow muted">{text}</span>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {skew.length > 0 && (
        <Section
          title={<Wrong>Clocks differ</Wrong>}
          note="Delays and leases go by the broker’s clock. Synchronize it with NTP."
        >
          <ul class="panel list">
            {skew.map(({ broker, skewMs }) => (
              <li key={broker}>
                <strong>{broker}</strong>
                <span class="grow">
                  {duration(Math.abs(skewMs))} {skewMs > 0 ? 'ahead' : 'behind'}
                </span>
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Trouble
        title="Not known"
        note="These groups could not be read completely."
        rows={unknown}
        what="Why"
        value={({ problem }) => problem ?? ''}
      />
      {isFine && (
        <div class="panel">
          <Empty title={isLooking ? `Looked at ${counts.sampled} of ${counts.groups} groups` : 'Nothing is wrong'}>
            {isLooking
              ? 'Groups are read in turn, so that the brokers are not flooded. This page fills by itself.'
              : 'No group has dead letters, a growing lag, or messages without a consumer.'}
          </Empty>
        </div>
      )}
    </>
  );
}

function versionsOf(brokers: Overview['brokers']): string {
  const versions = brokers.map(({ text }) => text.replace(/^V/, '').replaceAll('_', '.'));
  return [...new Set(versions)].join(', ');
}

function Wrong({ children }: { readonly children: ComponentChildren }) {
  return <span class="wrong">{children}</span>;
}

interface TroubleProps {
  readonly title: string;
  readonly note: string;
  readonly rows: readonly Sample[];
  readonly value: (sample: Sample) => string;
  readonly what?: string;
  readonly part?: string;
}

function Trouble({ title, note, rows, value, what = 'How many', part }: TroubleProps) {
  if (rows.length === 0) return null;
  return (
    <Section title={<Wrong>{title}</Wrong>} note={note}>
      <Table
        label={title}
        rows={rows}
        keyOf={({ consumerGroup }) => consumerGroup}
        hrefOf={({ consumerGroup }) => linkTo(['groups', consumerGroup, ...(part === undefined ? [] : [part])])}
        columns={[
          { name: 'Group', cell: ({ consumerGroup }) => consumerGroup },
          { name: what, width: 210, isNumber: true, cell: value },
          { name: 'Consumers', width: 110, isNumber: true, cell: ({ consumers }) => consumers ?? '–' },
          { name: 'Seen', width: 120, isExtra: true, cell: ({ atMs }) => <Time ms={atMs} isRelative /> },
        ]}
      />
    </Section>
  );
}
