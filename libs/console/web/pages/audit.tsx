import { useResource } from '../lib/resource.js';
import { place, setQuery } from '../lib/router.js';
import type { AuditEntry } from '../types.js';
import { Empty, Head, Loaded, Search, Time } from '../ui/parts.js';
import { Table } from '../ui/table.js';

const REFRESH_MS = 10_000;
const TONES = { done: 'good', partly: 'warn', failed: 'bad', rejected: 'bad' } as const;

/** Who changed what, through this console. */
export function AuditPage() {
  const text = place.value.query.get('text') ?? '';
  const read = useResource<{ readonly entries: readonly AuditEntry[] }>('audit', REFRESH_MS);
  return (
    <>
      <Head title="Audit">
        <Search label="Filter" value={text} onInput={(one) => setQuery({ text: one })} />
      </Head>
      <Loaded of={read}>
        {({ entries }) => {
          const shown = entries.filter((one) => JSON.stringify(one).toLowerCase().includes(text.toLowerCase()));
          if (shown.length === 0) {
            return (
              <div class="panel">
                <Empty title={text === '' ? 'Nothing was changed yet' : 'No entry matches'}>
                  {text === '' && 'Each change that is made here, or rejected, is listed. The last 1,000 are kept.'}
                </Empty>
              </div>
            );
          }
          return (
            <Table
              label="Changes"
              rows={shown}
              keyOf={(one) => `${one.atMs} ${entries.indexOf(one)}`}
              columns={[
                { name: 'When', width: 124, cell: ({ atMs }) => <Time ms={atMs} /> },
                { name: 'Who', width: 170, cell: ({ viewer, remoteAddress }) => viewer ?? remoteAddress ?? 'unknown' },
                { name: 'Action', width: 96, cell: ({ action }) => action },
                { name: 'Target', width: 220, cell: ({ target }) => Object.values(target).join(' · ') },
                {
                  name: 'Outcome',
                  width: 96,
                  cell: ({ outcome }) => <span class={`chip ${TONES[outcome]}`}>{outcome}</span>,
                },
                { name: 'Result', cell: (one) => <span title={resultOf(one)}>{resultOf(one)}</span> },
              ]}
            />
          );
        }}
      </Loaded>
    </>
  );
}

function resultOf({ text, reason }: AuditEntry): string {
  return reason === undefined ? text : `${text} · ${reason}`;
}
