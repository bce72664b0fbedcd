import { count, plural } from '../lib/format.js';
import { useLive } from '../lib/live.js';
import { useResource } from '../lib/resource.js';
import { linkTo, place, setQuery } from '../lib/router.js';
import { may } from '../lib/session.js';
import type { TopicPage as Answer } from '../types.js';
import { Empty, Facts, Head, Loaded, Problems, Switch, Time, textsOf } from '../ui/parts.js';
import { openSend } from '../ui/send.js';
import { Table } from '../ui/table.js';
import { Followed } from './topic-follow.js';
import { Messages } from './topic-messages.js';

const TABS = [
  ['messages', 'Messages'],
  ['live', 'Live'],
  ['groups', 'Groups'],
  ['queues', 'Queues'],
] as const;

export function TopicPage({ topic }: { readonly topic: string }) {
  const tab = (place.value.query.get('tab') ?? 'messages') as (typeof TABS)[number][0];
  const read = useResource<Answer>(`topics/${encodeURIComponent(topic)}`, 10_000);
  useLive(tab === 'live' ? undefined : {});
  return (
    <>
      <Head
        title={topic}
        crumbs={[{ text: 'Topics', parts: ['topics'] }]}
        about={read.value !== undefined && <span class="chip">{read.value.type}</span>}
      >
        {may('send') && (
          <button type="button" data-key="s" onClick={() => openSend(topic, read.value?.type)}>
            Send a message
          </button>
        )}
      </Head>
      <Loaded of={read}>
        {({ queues, counts, problems }) => (
          <>
            <Problems list={textsOf(problems)} />
            <Facts
              facts={[
                ['Messages', counts.messages === undefined ? '…' : count(counts.messages)],
                ['Last message', <Last queues={queues} />],
                ['Queues', queues.length],
                ['Groups', count(counts.groups)],
              ]}
            />
          </>
        )}
      </Loaded>
      <div class="tabs">
        <Switch
          label="What to show"
          options={TABS}
          value={tab}
          onChange={(one) => setQuery({ tab: one === 'messages' ? '' : one })}
        />
        <button type="button" hidden data-key="l" onClick={() => setQuery({ tab: tab === 'live' ? '' : 'live' })}>
          Live
        </button>
      </div>
      {tab === 'messages' && <Messages topic={topic} />}
      {tab === 'live' && <Followed topic={topic} />}
      {tab === 'groups' && read.value !== undefined && <Groups groups={read.value.groups} />}
      {tab === 'queues' && read.value !== undefined && <Queues topic={topic} queues={read.value.queues} />}
    </>
  );
}

function Last({ queues }: { readonly queues: Answer['queues'] }) {
  const lastMs = Math.max(0, ...queues.map(({ lastUpdateMs = 0 }) => lastUpdateMs));
  return lastMs === 0 ? <>never</> : <Time ms={lastMs} isRelative />;
}

function Groups({ groups }: { readonly groups: Answer['groups'] }) {
  if (groups.length === 0) {
    return (
      <div class="panel">
        <Empty title="No group consumes this topic">Groups appear here once a consumer has subscribed.</Empty>
      </div>
    );
  }
  return (
    <Table
      label="Groups of the topic"
      rows={groups}
      keyOf={({ consumerGroup }) => consumerGroup}
      hrefOf={({ consumerGroup }) => linkTo(['groups', consumerGroup])}
      columns={[
        { name: 'Group', cell: ({ consumerGroup }) => consumerGroup },
        {
          name: 'Lag',
          width: 150,
          isNumber: true,
          cell: ({ lag }) => (lag === undefined ? '…' : plural(lag, 'message')),
        },
        {
          name: 'Consumers',
          width: 110,
          isNumber: true,
          cell: ({ consumers }) => <span class={consumers === 0 ? 'warn' : ''}>{consumers ?? '…'}</span>,
        },
      ]}
    />
  );
}

function Queues({ topic, queues }: { readonly topic: string; readonly queues: Answer['queues'] }) {
  return (
    <Table
      label="Queues of the topic"
      rows={queues}
      keyOf={({ broker, queueId }) => `${broker}/${queueId}`}
      hrefOf={({ broker, queueId }) => linkTo(['topics', topic], { broker, queueId: String(queueId) })}
      columns={[
        { name: 'Queue', cell: ({ broker, queueId }) => `${broker} / ${queueId}` },
        { name: 'Oldest', width: 110, isNumber: true, cell: ({ minOffset }) => count(minOffset) },
        { name: 'Next', width: 110, isNumber: true, cell: ({ maxOffset }) => count(maxOffset) },
        {
          name: 'Messages',
          width: 110,
          isNumber: true,
          cell: ({ minOffset, maxOffset }) => count(maxOffset - minOffset),
        },
        {
          name: 'Last message',
          width: 140,
          cell: ({ lastUpdateMs }) => (lastUpdateMs === undefined ? 'never' : <Time ms={lastUpdateMs} isRelative />),
        },
      ]}
    />
  );
}
