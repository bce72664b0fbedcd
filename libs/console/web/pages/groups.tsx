import type { Group } from '../group-types.js';
import { compact } from '../lib/format.js';
import { samples } from '../lib/live.js';
import { useResource } from '../lib/resource.js';
import { linkTo, place, setQuery } from '../lib/router.js';
import type { Sample } from '../types.js';
import { Empty, Head, ListFoot, Loaded, Problems, Search, Switch, Time } from '../ui/parts.js';
import { Table } from '../ui/table.js';

const ORDERS = [
  ['name', 'By name'],
  ['lag', 'By lag'],
  ['dead', 'By dead letters'],
  ['rate', 'By rate'],
] as const;
const LIMIT = '5000';

interface Answer {
  readonly total: number;
  readonly groups: readonly Group[];
  readonly problems: readonly string[];
}

export function GroupsPage() {
  const { query } = place.value;
  const [text, order] = [query.get('text') ?? '', (query.get('order') ?? 'name') as (typeof ORDERS)[number][0]];
  const search = new URLSearchParams({ limit: LIMIT, ...(text !== '' && { text }) });
  const read = useResource<Answer>(`groups?${search}`, 10_000);
  const live = samples.value;
  const sampleOf = ({ consumerGroup, sample }: Group): Sample | undefined => live.get(consumerGroup) ?? sample;
  const number = (group: Group, name: 'lag' | 'deadLetters'): string => {
    const value = sampleOf(group)?.[name];
    return value === undefined ? '…' : compact(value);
  };
  return (
    <>
      <Head title="Groups">
        <Switch label="Order" options={ORDERS} value={order} onChange={(one) => setQuery({ order: one })} />
        <Search label="Filter by name" value={text} onInput={(one) => setQuery({ text: one })} />
      </Head>
      <Loaded of={read}>
        {({ groups, total, problems }) => (
          <>
            <Problems list={problems} />
            {groups.length === 0 ? (
              <div class="panel">
                <Empty title={text === '' ? 'No groups yet' : `No group has “${text}” in its name`}>
                  {text === '' ? (
                    <>
                      A group is created with <code>npx nestjs-rocketmq group create billing</code>
                    </>
                  ) : (
                    'Clear the filter with Esc.'
                  )}
                </Empty>
              </div>
            ) : (
              <Table
                label="Consumer groups"
                rows={sorted(groups, order, sampleOf)}
                keyOf={({ consumerGroup }) => consumerGroup}
                hrefOf={({ consumerGroup }) => linkTo(['groups', consumerGroup])}
                columns={[
                  {
                    name: 'Group',
                    cell: ({ consumerGroup, pause }) => (
                      <>
                        {consumerGroup} {pause !== undefined && <span class="chip warn">paused</span>}
                      </>
                    ),
                  },
                  { name: 'Lag', width: 96, isNumber: true, cell: (one) => number(one, 'lag') },
                  { name: 'Per s', width: 80, isNumber: true, isExtra: true, cell: (one) => rateText(sampleOf(one)) },
                  {
                    name: 'Dead letters',
                    width: 112,
                    isNumber: true,
                    cell: (one) => (
                      <span class={(sampleOf(one)?.deadLetters ?? 0) > 0 ? 'bad' : ''}>
                        {number(one, 'deadLetters')}
                      </span>
                    ),
                  },
                  {
                    name: 'Consumers',
                    width: 104,
                    isNumber: true,
                    cell: (one) => <Consumers sample={sampleOf(one)} />,
                  },
                  {
                    name: 'Attempts',
                    width: 96,
                    isNumber: true,
                    isExtra: true,
                    cell: ({ settings: { attempts } }) => (
                      <span class={attempts.isWrong ? 'bad' : ''}>{attempts.text}</span>
                    ),
                  },
                  {
                    name: 'Order',
                    width: 96,
                    isExtra: true,
                    cell: ({ settings: { order } }) =>
                      order.text === '' ? (
                        <span class="muted">–</span>
                      ) : (
                        <span class={order.isWrong ? 'bad' : 'chip'}>{order.text}</span>
                      ),
                  },
                  { name: 'Seen', width: 110, isExtra: true, cell: (one) => <Seen sample={sampleOf(one)} /> },
                ]}
              />
            )}
            <ListFoot shown={groups.length} total={total} name="group" />
          </>
        )}
      </Loaded>
    </>
  );
}

/** The largest first; those that were not looked at yet last. */
function sorted(
  groups: readonly Group[],
  order: (typeof ORDERS)[number][0],
  sampleOf: (group: Group) => Sample | undefined,
): readonly Group[] {
  const shownOf = (group: Group): number => {
    const { lag = -1, deadLetters = -1, rates } = sampleOf(group) ?? {};
    if (order === 'rate') return rates?.delivered ?? -1;
    return order === 'lag' ? lag : deadLetters;
  };
  return order === 'name' ? groups : groups.toSorted((left, right) => shownOf(right) - shownOf(left));
}

function Consumers({ sample }: { readonly sample: Sample | undefined }) {
  if (sample === undefined) return <>…</>;
  const isAlone = sample.consumers === 0 && sample.lag > 0;
  return <span class={isAlone ? 'bad' : ''}>{sample.consumers ?? '?'}</span>;
}

function Seen({ sample }: { readonly sample: Sample | undefined }) {
  if (sample === undefined) return null;
  return (
    <span class={sample.problem === undefined ? 'muted' : 'warn'} title={sample.problem}>
      <Time ms={sample.atMs} isRelative />
    </span>
  );
}

function rateText(sample: Sample | undefined): string {
  return sample?.rates === undefined ? '…' : compact(sample.rates.delivered);
}
