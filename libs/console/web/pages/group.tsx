import type { GroupPage as Answer, LagPoint } from '../group-types.js';
import { count, plural } from '../lib/format.js';
import { samples, useLive } from '../lib/live.js';
import { useResource } from '../lib/resource.js';
import { linkTo, place } from '../lib/router.js';
import { may } from '../lib/session.js';
import type { Sample } from '../types.js';
import { Empty, type Fact, Facts, Head, Loaded, Problems, Section, Time, textsOf } from '../ui/parts.js';
import { Table } from '../ui/table.js';
import { GroupFailures } from './group-failures.js';
import { GroupLag, type LagRange } from './group-lag.js';
import { openGroupPause, PausedNotice } from './group-pause.js';
import { openRewind } from './rewind.js';

const RANGES: readonly LagRange[] = ['hour', 'day', 'week'];
const REFRESH_MS = 10_000;

export function GroupPage({ group }: { readonly group: string }) {
  const wanted = place.value.query.get('range');
  const range = RANGES.find((one) => one === wanted) ?? 'hour';
  const own = range === 'day' ? 'day' : 'hour';
  const read = useResource<Answer>(`groups/${encodeURIComponent(group)}?range=${own}`, REFRESH_MS);
  useLive({ groups: [group] });
  const topics = read.value?.topics ?? [];
  return (
    <>
      <Head
        title={group}
        crumbs={[{ text: 'Groups', parts: ['groups'] }]}
        about={
          <>
            {read.value?.settings.order.text === 'fifo' && <span class="chip">fifo</span>}
            {read.value?.isOwn === true && <span class="chip accent">this application</span>}
          </>
        }
      >
        <a class="button" href={linkTo(['groups', group, 'dead-letters'])}>
          Dead letters
        </a>
        {read.value !== undefined && may('pause') && (
          <button type="button" onClick={() => openGroupPause(group, read.value?.pause !== undefined)}>
            {read.value.pause === undefined ? 'Pause' : 'Resume'}
          </button>
        )}
        {may('rewind') && topics.length > 0 && (
          <button type="button" data-key="r" onClick={() => openRewind(group, topics)}>
            Rewind
          </button>
        )}
      </Head>
      <Loaded of={read}>
        {(value) => <Shown value={value} range={range} sample={samples.value.get(group) ?? value.sample} />}
      </Loaded>
    </>
  );
}

interface ShownProps {
  readonly value: Answer;
  readonly range: LagRange;
  readonly sample: Sample | undefined;
}

function Shown({ value, range, sample }: ShownProps) {
  const { lag, clients, history, problems } = value;
  const dead = sample?.deadLetters;
  const waiting = sample?.lag ?? lag?.lag;
  const retries = (lag?.topics ?? []).reduce((sum, one) => sum + one.retries, 0);
  const isAlone = clients?.clients.length === 0;
  return (
    <>
      <Problems list={textsOf(problems)} />
      {value.pause !== undefined && (
        <PausedNotice
          pause={value.pause}
          brokers={value.brokers.filter(({ isPaused }) => isPaused === false).map(({ name }) => name)}
        />
      )}
      <Facts
        isLarge
        facts={[
          [
            'Lag',
            waiting === undefined ? '?' : count(waiting),
            retries > 0 ? `${count(retries)} wait for a retry` : undefined,
          ],
          [
            'Consumers',
            <span class={isAlone && waiting !== 0 ? 'bad' : ''}>{clients?.clients.length ?? '?'}</span>,
            isAlone ? 'none is connected' : undefined,
          ],
          [
            'Dead letters',
            <a
              class={dead === undefined || dead === 0 ? '' : 'bad'}
              href={linkTo(['groups', value.consumerGroup, 'dead-letters'])}
            >
              {dead === undefined ? '…' : count(dead)}
            </a>,
          ],
          ['Delivered', sample?.rates === undefined ? '…' : `${count(sample.rates.delivered)}/s`, arrivingText(sample)],
          attemptsOf(value),
        ]}
      />
      <Settings settings={value.settings} />
      {clients !== undefined && <Differences clients={clients} />}
      <GroupFailures group={value.consumerGroup} />
      <GroupLag group={value.consumerGroup} range={range} points={withLast(history, sample)} />
      {lag !== undefined && <Queues lag={lag} />}
      {clients !== undefined && <Clients clients={clients} />}
    </>
  );
}

/** Those of this application's listeners, which may give up before the server does. */
function attemptsOf({ ownAttempts = [], maxDeliveryAttempts, settings: { attempts } }: Answer): Fact {
  if (attempts.isWrong)
    return ['Attempts', <span class="bad">{attempts.text}</span>, 'see the settings of the brokers'];
  const isOther = ownAttempts.some((one) => one !== maxDeliveryAttempts);
  if (!isOther) return ['Attempts', count(maxDeliveryAttempts), 'then a dead letter'];
  const note = `in this application; the group allows ${count(maxDeliveryAttempts)}`;
  return ['Attempts', ownAttempts.map(count).join(' or '), note];
}

function arrivingText(sample: Sample | undefined): string | undefined {
  return sample?.rates && `${count(sample.rates.arriving)}/s arrive`;
}

function withLast(history: readonly LagPoint[], sample: Sample | undefined): readonly LagPoint[] {
  const last = history.at(-1);
  if (sample === undefined || (last !== undefined && last.atMs >= sample.atMs)) return history;
  return [...history, { atMs: sample.atMs, lag: sample.lag }];
}

function Settings({ settings: { brokers, command } }: { readonly settings: Answer['settings'] }) {
  if (brokers.length === 0) return null;
  return (
    <Section
      title={<span class="wrong">Settings of the brokers</span>}
      note="Each broker applies its own settings, and a proxy those of one of them. Give all brokers the same."
    >
      <ul class="panel list">
        {brokers.map((text) => (
          <li key={text}>{text}</li>
        ))}
        {command !== undefined && (
          <li>
            <span>
              For example: <code>{command}</code>
            </span>
          </li>
        )}
      </ul>
    </Section>
  );
}

function Differences({ clients: { differences = [] } }: { readonly clients: NonNullable<Answer['clients']> }) {
  if (differences.length === 0) return null;
  return (
    <Section
      title={<span class="wrong">Subscriptions differ</span>}
      note="Clients of one group must subscribe to the same: the server filters for all of them by what one of them asked for last."
    >
      <ul class="panel list">
        {differences.flatMap(({ topic, members }) =>
          members.map(({ clientId, subscription }) => (
            <li key={`${topic} ${clientId}`}>
              <strong>{topic}</strong>
              <span class="mono">{subscription === undefined ? 'not subscribed' : subscription.expression}</span>
              <span class="grow muted">{clientId}</span>
            </li>
          )),
        )}
      </ul>
    </Section>
  );
}

function Queues({ lag }: { readonly lag: NonNullable<Answer['lag']> }) {
  const rows = lag.topics.flatMap(({ topic, queues }) => queues.map((queue) => ({ topic, ...queue })));
  if (rows.length === 0) {
    return (
      <Section title="Queues">
        <div class="panel">
          <Empty title="It has not consumed anything yet">Queues appear here with its first message.</Empty>
        </div>
      </Section>
    );
  }
  return (
    <Section title="Queues" note={plural(rows.length, 'queue')}>
      <Table
        label="Queues"
        rows={rows}
        keyOf={({ topic, broker, queueId }) => `${topic}/${broker}/${queueId}`}
        hrefOf={({ topic }) => linkTo(['topics', topic])}
        columns={[
          { name: 'Topic', cell: ({ topic }) => topic },
          { name: 'Queue', width: 150, cell: ({ broker, queueId }) => `${broker} / ${queueId}` },
          {
            name: 'Lag',
            width: 100,
            isNumber: true,
            cell: (one) => <span class={one.lag === 0 ? 'muted' : ''}>{count(one.lag)}</span>,
          },
          {
            name: 'Position',
            width: 110,
            isNumber: true,
            cell: ({ hasStarted, consumerOffset }) => (hasStarted ? count(consumerOffset) : 'not started'),
          },
          { name: 'End', width: 100, isNumber: true, isExtra: true, cell: ({ brokerOffset }) => count(brokerOffset) },
          {
            name: 'Handled up to',
            width: 140,
            isExtra: true,
            cell: ({ lastTimestampMs: ms }) => (ms === undefined ? '–' : <Time ms={ms} isRelative />),
          },
        ]}
      />
    </Section>
  );
}

function Clients({ clients: { clients, subscriptions } }: { readonly clients: NonNullable<Answer['clients']> }) {
  const filter = subscriptions.map(({ topic, expression }) => `${topic} ${expression}`).join(', ');
  return (
    <Section title="Clients" note={filter === '' ? undefined : `subscribed to ${filter}`}>
      {clients.length === 0 ? (
        <div class="panel">
          <Empty title="No consumer is connected">
            Messages wait until one is. Consumers at a proxy in cluster mode are listed only if the console knows its
            address.
          </Empty>
        </div>
      ) : (
        <Table
          label="Clients"
          rows={clients}
          keyOf={({ clientId }) => clientId}
          columns={[
            { name: 'Client', cell: ({ clientId }) => <span class="mono">{clientId}</span> },
            { name: 'Address', width: 170, cell: ({ address }) => address },
            { name: 'Language', width: 110, isExtra: true, cell: ({ language }) => language },
            { name: 'Connected to', width: 160, isExtra: true, cell: ({ brokers }) => brokers.join(', ') },
          ]}
        />
      )}
    </Section>
  );
}
