// What waits in the schedule of the application.

import { count, duration, plural, utc } from '../lib/format.js';
import { usePages } from '../lib/resource.js';
import { place, setQuery } from '../lib/router.js';
import { may } from '../lib/session.js';
import { Empty, Facts, Failure, Head, Loaded, Search, Time } from '../ui/parts.js';
import { type Column, Table } from '../ui/table.js';
import { openScheduleChange, type Scheduled } from './schedule-changes.js';

const REFRESH_MS = 5_000;
/** Relays poll each second, unless they are told otherwise. */
const LATE_MS = 60_000;

interface Page {
  readonly entries: readonly Scheduled[];
  readonly next?: string;
  readonly scheduled: number;
  readonly overdueMs: number;
}

export function SchedulePage() {
  const key = place.value.query.get('key') ?? '';
  const ofKey = key === '' ? '' : `&key=${encodeURIComponent(key)}`;
  const read = usePages<Page, Scheduled>(`schedule?limit=100${ofKey}`, ({ entries }) => entries, REFRESH_MS);
  const { items, more } = read;
  return (
    <>
      <Head title="Schedule">
        <Search label="Find a key" isSlow value={key} onInput={(one) => setQuery({ key: one })} />
      </Head>
      <Loaded of={read}>
        {({ scheduled, overdueMs }) => (
          <>
            {overdueMs > LATE_MS && (
              <div class="notice bad" role="status">
                <strong>No relay moves what is due</strong>
                <span>
                  The oldest entry has been waiting for {duration(overdueMs)}. Start an OutboxRelay with this schedule,
                  or look for its errors in the logs.
                </span>
              </div>
            )}
            <Facts
              facts={[
                ['Scheduled', count(scheduled)],
                ['Overdue', overdueMs === 0 ? 'nothing' : duration(overdueMs)],
              ]}
            />
            <List entries={items} wanted={key} />
            {read.appendError !== undefined && <Failure error={read.appendError} />}
            {more !== undefined && (
              <p class="foot">
                {plural(items.length, 'entry', 'entries')} read
                <button type="button" data-key="n" disabled={read.isAppending} onClick={more}>
                  Read more
                </button>
              </p>
            )}
          </>
        )}
      </Loaded>
    </>
  );
}

function List({ entries, wanted }: { readonly entries: readonly Scheduled[]; readonly wanted: string }) {
  if (entries.length === 0) {
    return (
      <div class="panel">
        <Empty title={wanted === '' ? 'Nothing is scheduled' : `No entry has the key ${wanted}`}>
          {wanted === ''
            ? 'What the application sets in its schedule waits here until it is due.'
            : 'It was sent or canceled, or never set. Write the whole key.'}
        </Empty>
      </div>
    );
  }
  const columns: readonly Column<Scheduled>[] = [
    { name: 'Key', cell: ({ key }) => <span title={key}>{key}</span> },
    { name: 'Topic', width: 130, isExtra: true, cell: ({ topic }) => topic },
    { name: 'Due', width: 190, cell: (one) => <Due entry={one} /> },
    { name: 'Repeats', width: 180, cell: (one) => <Repeats entry={one} /> },
    {
      name: 'Last tick',
      width: 110,
      cell: ({ lastTickAtMs }) => (lastTickAtMs === undefined ? '–' : <Time ms={lastTickAtMs} isRelative />),
    },
    ...(may('schedule') ? [{ name: 'Change', width: 240, cell: (one: Scheduled) => <Tools entry={one} /> }] : []),
  ];
  return <Table label="Scheduled messages" rows={entries} keyOf={({ key }) => key} columns={columns} />;
}

function Repeats({ entry: { cron, timeZone } }: { readonly entry: Scheduled }) {
  const text = cron === undefined ? 'once' : `${cron}, ${timeZone}`;
  return <span title={text}>{text}</span>;
}

function Due({ entry: { dueAtMs, paused } }: { readonly entry: Scheduled }) {
  if (paused === undefined) return <Time ms={dueAtMs} isCoarse />;
  return (
    <span title={`since ${utc(paused.sinceMs)}: ${paused.reason}`}>
      <span class="chip warn">paused</span> {paused.reason}
    </span>
  );
}

function Tools({ entry }: { readonly entry: Scheduled }) {
  const change = (name: string, what: Parameters<typeof openScheduleChange>[1]) => (
    <button type="button" class="small" onClick={() => openScheduleChange(entry, what)}>
      {name}
    </button>
  );
  return (
    <span class="row-tools">
      {change('Run now', 'run')}
      {entry.paused === undefined ? change('Pause', 'pause') : change('Resume', 'resume')}
      {change('Cancel', 'cancel')}
    </span>
  );
}
