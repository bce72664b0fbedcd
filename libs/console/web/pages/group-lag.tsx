import type { LagPoint } from '../group-types.js';
import { count, DAY_MS, duration, HOUR_MS, plural } from '../lib/format.js';
import { useResource } from '../lib/resource.js';
import { setQuery } from '../lib/router.js';
import type { BrokerProblem } from '../types.js';
import { Chart } from '../ui/chart.js';
import { Empty, Loaded, Problems, Section, Switch, Time, textsOf } from '../ui/parts.js';
import { Table } from '../ui/table.js';

export type LagRange = 'hour' | 'day' | 'week';

const RANGES = [
  ['hour', 'Hour'],
  ['day', 'Day'],
  ['week', 'Week'],
] as const;

const NOTES: Readonly<Record<LagRange, string>> = {
  hour: 'each 10 s',
  day: 'the largest of each 5 min',
  week: 'the largest of each hour',
};

interface Props {
  readonly group: string;
  readonly range: LagRange;
  /** Those of the console, for an hour or a day. */
  readonly points: readonly LagPoint[];
}

/** The lag over time: as the console has seen it, or as the applications have kept it. */
export function GroupLag({ group, range, points }: Props) {
  return (
    <Section
      title="Lag"
      note={NOTES[range]}
      tools={
        <Switch
          label="Range"
          options={RANGES}
          value={range}
          onChange={(one) => setQuery({ range: one === 'hour' ? '' : one })}
        />
      }
    >
      {range === 'week' ? (
        <Week group={group} />
      ) : (
        <div class="panel">
          <Recent points={points} range={range} />
        </div>
      )}
    </Section>
  );
}

function Recent({ points, range }: { readonly points: readonly LagPoint[]; readonly range: 'hour' | 'day' }) {
  if (points.length < 2)
    return <Empty title="Nothing to draw yet">The lag is recorded while this page is open, each 10 seconds.</Empty>;
  return (
    <Chart
      label="Lag"
      points={points.map(({ atMs, lag }) => ({ atMs, value: lag }))}
      spanMs={range === 'hour' ? HOUR_MS : DAY_MS}
      gapMs={range === 'hour' ? 60_000 : HOUR_MS}
    />
  );
}

const REFRESH_MS = 60_000;
/** In two hours that follow each other, the largest samples are nearer. */
const GAP_MS = 2 * HOUR_MS;

interface KeptSample {
  readonly atMs: number;
  readonly lag: number;
  readonly topics: readonly { readonly topic: string; readonly lag: number; readonly behindMs?: number }[];
}

/** As the console answers. */
interface Answer {
  /** Undefined where the console does not know one. */
  readonly operationsTopic?: string;
  readonly hours: readonly KeptSample[];
  readonly latest?: KeptSample;
  readonly unreadBeforeMs?: number;
  readonly failures: readonly BrokerProblem[];
}

function Week({ group }: { readonly group: string }) {
  const read = useResource<Answer>(`groups/${encodeURIComponent(group)}/lag-history`, REFRESH_MS);
  return <Loaded of={read}>{(value) => <Kept value={value} />}</Loaded>;
}

function Kept({ value: { operationsTopic, hours, latest, unreadBeforeMs, failures } }: { readonly value: Answer }) {
  const last = hours.at(-1);
  const points = latest !== undefined && last !== undefined && latest.atMs > last.atMs ? [...hours, latest] : hours;
  return (
    <>
      <Problems list={textsOf(failures)} />
      {unreadBeforeMs !== undefined && (
        <p class="muted">
          What is before <Time ms={unreadBeforeMs} /> was not read in time.
        </p>
      )}
      {points.length < 2 ? (
        <div class="panel">
          <NotKept topic={operationsTopic} />
        </div>
      ) : (
        <div class="panel">
          <Chart
            label="Lag of the week"
            points={points.map(({ atMs, lag }) => ({ atMs, value: lag }))}
            spanMs={7 * DAY_MS}
            gapMs={GAP_MS}
          />
        </div>
      )}
      {hours.length > 0 && <Hours hours={hours} />}
    </>
  );
}

function NotKept({ topic }: { readonly topic: string | undefined }) {
  if (topic === undefined)
    return (
      <Empty title="The console does not know where lag is kept">
        Applications keep it with the option <code>operations</code> of RocketMQModule. Name its topic here with{' '}
        <code>operationsTopic</code>, or <code>--operations-topic</code>.
      </Empty>
    );
  return (
    <Empty title="Nothing to draw yet">
      Applications with the option <code>operations</code> of RocketMQModule keep the lag of their groups in {topic},
      each minute.
    </Empty>
  );
}

function Hours({ hours }: Pick<Answer, 'hours'>) {
  return (
    <details class="more">
      <summary>As a table: {plural(hours.length, 'hour')}</summary>
      <Table
        label="Lag by hour"
        rows={[...hours].reverse()}
        keyOf={({ atMs }) => `${atMs}`}
        columns={[
          { name: 'Peak at', width: 190, cell: ({ atMs }) => <Time ms={atMs} /> },
          { name: 'Lag', width: 110, isNumber: true, cell: ({ lag }) => count(lag) },
          { name: 'Behind', width: 100, cell: ({ topics }) => behindText(topics) },
          { name: 'Topics', cell: ({ topics }) => topicsText(topics) },
        ]}
      />
    </details>
  );
}

function behindText(topics: KeptSample['topics']): string {
  const ms = Math.max(0, ...topics.map(({ behindMs = 0 }) => behindMs));
  return ms === 0 ? '–' : duration(ms);
}

function topicsText(topics: KeptSample['topics']): string {
  return topics
    .filter(({ lag }) => lag > 0)
    .map(({ topic, lag }) => `${topic} ${count(lag)}`)
    .join(', ');
}
