// A topic as it happens: the newest on top, at most some hundreds.

import { useRef, useState } from 'preact/hooks';
import { count, plural } from '../lib/format.js';
import { useLive } from '../lib/live.js';
import { place, setQuery } from '../lib/router.js';
import type { Message } from '../types.js';
import { MessageTable, placeOf } from '../ui/message-table.js';
import { Empty, Problems, Search } from '../ui/parts.js';

const MAX_SHOWN = 500;
const MAX_WAITING = 2_000;

interface Shown {
  readonly messages: readonly Message[];
  readonly fresh: ReadonlySet<string>;
  /** Messages that were too many to be sent here. */
  readonly skipped: number;
  readonly seen: number;
  readonly problems: readonly string[];
}

const NOTHING: Shown = { messages: [], fresh: new Set(), skipped: 0, seen: 0, problems: [] };

export function Followed({ topic }: { readonly topic: string }) {
  const text = place.value.query.get('text') ?? '';
  const [shown, setShown] = useState(NOTHING);
  const [isPaused, setPaused] = useState(false);
  const [waiting, setWaiting] = useState(0);
  const held = useRef<Message[]>([]);
  const add = (messages: readonly Message[], skipped: number, problems: readonly string[]): void =>
    setShown((last) => ({
      messages: [...messages.toReversed(), ...last.messages].slice(0, MAX_SHOWN),
      fresh: new Set(messages.map(placeOf)),
      skipped: last.skipped + skipped,
      seen: last.seen + messages.length,
      problems,
    }));
  useLive(
    { follow: topic, text },
    {
      messages: ({ messages, skipped, problems }) => {
        if (!isPaused) return add(messages, skipped, problems);
        held.current.push(...messages);
        const excess = held.current.splice(0, Math.max(0, held.current.length - MAX_WAITING)).length;
        setWaiting(held.current.length);
        setShown((last) => ({ ...last, skipped: last.skipped + skipped + excess, problems }));
      },
      problem: (message) => setShown((last) => ({ ...last, problems: [message] })),
      dropped: (events) =>
        setShown((last) => ({
          ...last,
          problems: [`This page reads too slowly; ${plural(events, 'event')} with messages were left out.`],
        })),
    },
  );
  const toggle = (): void => {
    if (isPaused) add(held.current.splice(0), 0, []);
    setWaiting(0);
    setPaused(!isPaused);
  };
  const { messages, fresh, skipped, seen, problems } = shown;
  return (
    <>
      <div class="filter">
        <button type="button" class={isPaused ? 'primary' : ''} onClick={toggle}>
          {isPaused ? `Continue${waiting === 0 ? '' : `, ${count(waiting)} waiting`}` : 'Pause'}
        </button>
        <Search label="Follow only what contains" isSlow value={text} onInput={(one) => setQuery({ text: one })} />
        <span class={isPaused ? 'state paused' : 'state'} role="status">
          {isPaused ? 'Paused' : 'Following'}
        </span>
      </div>
      <Problems list={problems} />
      {skipped > 0 && (
        <div class="notice" role="status">
          <strong>1 of {count(Math.floor((skipped + seen) / Math.max(1, seen)))}</strong>
          <span>
            More messages arrive than a person can read: {plural(skipped, 'message was', 'messages were')} left out.
            Follow only what contains a text to see all of it.
          </span>
        </div>
      )}
      {messages.length === 0 ? (
        <div class="panel">
          <Empty title="Waiting for messages">Those that are stored from now on appear here, the newest on top.</Empty>
        </div>
      ) : (
        <MessageTable messages={messages} topic={topic} isFresh={(one) => fresh.has(placeOf(one))} />
      )}
      <p class="foot">{plural(seen, 'message')} since this page was opened</p>
    </>
  );
}
