import { count } from '../lib/format.js';
import { usePages } from '../lib/resource.js';
import { linkTo } from '../lib/router.js';
import { may } from '../lib/session.js';
import type { GivenUp, MessagePage, OpenTransaction } from '../types.js';
import { openChange } from '../ui/change.js';
import { Peek, ShortId } from '../ui/message-table.js';
import { Empty, Facts, Head, Loaded, Problems, Section, Time, textsOf } from '../ui/parts.js';
import { Table } from '../ui/table.js';

const REFRESH_MS = 10_000;

interface Answer extends MessagePage<GivenUp> {
  readonly open?: readonly OpenTransaction[];
}

export function TransactionsPage() {
  const path = 'transactions?limit=100';
  const read = usePages<Answer, GivenUp>(path, ({ messages }) => messages, REFRESH_MS);
  const { items, more } = read;
  return (
    <>
      <Head title="Transactions" />
      <Loaded of={read}>
        {({ open, failures }) => (
          <>
            <Problems list={textsOf(failures)} />
            {open !== undefined && <Open open={open} />}
            <Section
              title="Given up"
              note="The broker asked as often as it may, and nobody answered. No group gets these messages."
            >
              <GivenUpList messages={items} />
              {more !== undefined && (
                <p class="foot">
                  <button type="button" data-key="n" disabled={read.isAppending} onClick={more}>
                    Read more
                  </button>
                </p>
              )}
            </Section>
          </>
        )}
      </Loaded>
    </>
  );
}

function Open({ open }: { readonly open: readonly OpenTransaction[] }) {
  return (
    <Section title="Open" note="Stored, and not yet committed or rolled back.">
      {open.length === 0 ? (
        <div class="panel">
          <Empty title="No transaction is open" />
        </div>
      ) : (
        <Table
          label="Open transactions"
          rows={open}
          keyOf={({ messageId }) => messageId}
          hrefOf={({ topic, messageId }) => linkTo(['topics', topic, 'messages', messageId])}
          columns={[
            { name: 'Since', width: 130, cell: ({ bornTimestampMs }) => <Time ms={bornTimestampMs} isRelative /> },
            { name: 'Topic', width: 180, cell: ({ topic }) => topic },
            { name: 'Keys', width: 140, cell: ({ keys }) => keys.join(' ') || '–' },
            { name: 'Body', cell: ({ body }) => <Peek body={body} /> },
            { name: 'Checks', width: 90, isNumber: true, cell: ({ checks }) => count(checks) },
            { name: 'Next check', width: 130, cell: ({ nextCheckMs }) => <Time ms={nextCheckMs} isRelative /> },
            { name: 'Message', width: 130, isExtra: true, cell: ({ messageId }) => <ShortId id={messageId} /> },
          ]}
        />
      )}
    </Section>
  );
}

function GivenUpList({ messages }: { readonly messages: readonly GivenUp[] }) {
  if (messages.length === 0) {
    return (
      <div class="panel">
        <Empty title="None was given up">Transactions whose producers never answer end up here.</Empty>
      </div>
    );
  }
  const tool = (one: GivenUp) => (
    <button type="button" class="small" disabled={one.originTopic === undefined} onClick={() => openResume(one)}>
      Ask again
    </button>
  );
  return (
    <Table
      label="Given up transactions"
      rows={messages}
      keyOf={({ offsetMessageId }) => offsetMessageId}
      hrefOf={({ originTopic, topic, messageId }) => linkTo(['topics', originTopic ?? topic, 'messages', messageId])}
      columns={[
        { name: 'Given up', width: 124, cell: ({ storeTimestampMs }) => <Time ms={storeTimestampMs} /> },
        { name: 'Topic', width: 140, cell: ({ originTopic }) => originTopic ?? <span class="warn">unknown</span> },
        { name: 'Keys', width: 140, cell: ({ keys }) => keys.join(' ') || '–' },
        { name: 'Body', cell: ({ body }) => <Peek body={body} /> },
        { name: 'Sent by', width: 130, isExtra: true, cell: ({ bornHost }) => bornHost },
        ...(may('resume') ? [{ name: 'Change', width: 116, cell: tool } as const] : []),
      ]}
    />
  );
}

function openResume({ broker, originTopic, offsetMessageId, messageId, keys }: GivenUp): void {
  openChange({
    title: 'Ask the producer again',
    form: {},
    body: () => ({ action: 'resume', broker, originTopic, offsetMessageId }),
    preview: () => (
      <>
        <Facts
          facts={[
            ['Topic', originTopic ?? 'unknown'],
            ['Keys', keys.join(' ') || '–'],
            ['Message', <ShortId id={messageId} />],
          ]}
        />
        <p>
          Its checks begin again. A producer with a transaction checker for {originTopic} must be connected; its answer
          commits the message or rolls it back.
        </p>
      </>
    ),
    confirm: () => 'Begin its checks again',
  });
}
