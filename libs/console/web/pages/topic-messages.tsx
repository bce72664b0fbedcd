// The messages of a topic: newest first, or what a search finds.

import { count, fromLocalInput, localInput } from '../lib/format.js';
import { usePages } from '../lib/resource.js';
import { place, setQuery } from '../lib/router.js';
import { serverNow } from '../lib/session.js';
import type { Message, MessagePage } from '../types.js';
import { MessageTable } from '../ui/message-table.js';
import { Empty, Failure, Loaded, Problems, Search, textsOf } from '../ui/parts.js';

const BY = [
  ['text', 'Contains'],
  ['key', 'Key'],
  ['id', 'Message ID'],
] as const;
const LIMIT = '100';

export function Messages({ topic }: { readonly topic: string }) {
  const { query } = place.value;
  const [by, text, to] = [query.get('by') ?? 'text', query.get('text') ?? '', query.get('to') ?? ''];
  const [broker, queueId] = [query.get('broker') ?? '', query.get('queueId') ?? ''];
  const ofQueue: Readonly<Record<string, string>> = broker === '' ? {} : { broker, queueId };
  const search = new URLSearchParams({
    limit: LIMIT,
    ...ofQueue,
    ...(text !== '' && { [by]: text }),
    ...(to !== '' && { to }),
  });
  const path = `topics/${encodeURIComponent(topic)}/messages?${search}`;
  const read = usePages<MessagePage, Message>(path, ({ messages }) => messages);
  const { items, more } = read;
  return (
    <>
      <div class="filter">
        <select
          aria-label="Search by"
          value={by}
          onChange={({ currentTarget }) => setQuery({ by: currentTarget.value })}
        >
          {BY.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
        <Search label="Search messages" isSlow value={text} onInput={(one) => setQuery({ text: one })} />
        <label class="field">
          <span>Stored before</span>
          <input
            type="datetime-local"
            step="1"
            value={to === '' ? '' : localInput(Number(to))}
            max={localInput(serverNow())}
            onChange={({ currentTarget: { value } }) =>
              setQuery({ to: value === '' ? '' : String(fromLocalInput(value, to === '' ? serverNow() : Number(to))) })
            }
          />
        </label>
        {broker !== '' && (
          <button type="button" class="pick" aria-pressed="true" onClick={() => setQuery({ broker: '', queueId: '' })}>
            Queue {broker} / {queueId} <span aria-hidden="true">×</span>
          </button>
        )}
        <button type="button" onClick={read.reload}>
          {read.isLoading ? 'Reading…' : 'Reload'}
        </button>
      </div>
      <Loaded of={read}>
        {({ failures, total }) => (
          <>
            <Problems list={textsOf(failures)} />
            {items.length === 0 ? (
              <div class="panel">
                <NoMessages text={text} hasMore={more !== undefined} />
              </div>
            ) : (
              <MessageTable messages={items} topic={topic} />
            )}
            {read.appendError !== undefined && <Failure error={read.appendError} />}
            <p class="foot">
              {count(items.length)}
              {total !== undefined && text === '' && ` of ${count(total)}`}
              {more !== undefined && (
                <button type="button" data-key="n" disabled={read.isAppending} onClick={more}>
                  {read.isAppending ? 'Reading…' : 'Older'}
                </button>
              )}
            </p>
          </>
        )}
      </Loaded>
    </>
  );
}

function NoMessages({ text, hasMore }: { readonly text: string; readonly hasMore: boolean }) {
  if (hasMore) return <Empty title="Nothing so far">Older messages were not searched yet.</Empty>;
  if (text === '')
    return (
      <Empty title="No messages">Send one, or widen the time. Messages are deleted after the retention time.</Empty>
    );
  return (
    <Empty title={`No message matches “${text}”`}>
      Keys and IDs must match completely. Bodies that are hidden are not searched.
    </Empty>
  );
}
