import { useEffect } from 'preact/hooks';
import { useResource } from '../lib/resource.js';
import { linkTo, place, setQuery } from '../lib/router.js';
import type { Topic } from '../types.js';
import { Empty, Head, ListFoot, Loaded, Problems, Search, Switch } from '../ui/parts.js';
import { Table } from '../ui/table.js';

const KINDS = [
  ['user', 'Topics'],
  ['retry', 'Retries'],
  ['dead-letter', 'Dead letters'],
  ['system', 'System'],
] as const;
const LIMIT = '5000';

interface Answer {
  readonly total: number;
  readonly topics: readonly Topic[];
  readonly problems: readonly string[];
}

export function TopicsPage() {
  const { query } = place.value;
  const [text, kind] = [query.get('text') ?? '', (query.get('kind') ?? 'user') as (typeof KINDS)[number][0]];
  const isFinding = query.has('find');
  useEffect(() => {
    if (isFinding) document.querySelector<HTMLInputElement>('[data-search]')?.focus();
  }, [isFinding]);
  const search = new URLSearchParams({ kind, limit: LIMIT, ...(text !== '' && { text }) });
  const read = useResource<Answer>(`topics?${search}`, 15_000);
  return (
    <>
      <Head title="Topics">
        <Switch label="Kind" options={KINDS} value={kind} onChange={(one) => setQuery({ kind: one })} />
        <Search label="Filter by name" value={text} onInput={(one) => setQuery({ text: one, find: '' })} />
      </Head>
      <Loaded of={read}>
        {({ topics, total, problems }) => (
          <>
            <Problems list={problems} />
            {topics.length === 0 ? (
              <div class="panel">
                <NoTopics text={text} isUser={kind === 'user'} />
              </div>
            ) : (
              <Table
                label="Topics"
                rows={topics}
                keyOf={({ topic }) => topic}
                hrefOf={({ topic }) => linkTo(['topics', topic])}
                columns={[
                  { name: 'Topic', cell: ({ topic }) => topic },
                  { name: 'Type', width: 130, cell: ({ type }) => <span class="chip">{type}</span> },
                  { name: 'Queues', width: 90, isNumber: true, cell: ({ queues }) => queues },
                  {
                    name: 'Brokers',
                    width: 220,
                    isExtra: true,
                    cell: ({ brokers }) => brokers.map(({ name }) => name).join(', '),
                  },
                ]}
              />
            )}
            <ListFoot shown={topics.length} total={total} name="topic" />
          </>
        )}
      </Loaded>
    </>
  );
}

function NoTopics({ text, isUser }: { readonly text: string; readonly isUser: boolean }) {
  if (text !== '') return <Empty title={`No topic has “${text}” in its name`}>Clear the filter with Esc.</Empty>;
  if (!isUser) return <Empty title="None" />;
  return (
    <Empty title="No topics yet">
      Create one: <code>npx nestjs-rocketmq topic create orders --type normal</code>
    </Empty>
  );
}
