// The event stream of this tab: one, with what the open page wants.

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Message, Sample } from '../types.js';
import { movedMs, setServerNow } from './session.js';

interface Followed {
  readonly messages: readonly Message[];
  /** Messages that were not sent, because there were too many. */
  readonly skipped: number;
  readonly problems: readonly string[];
}

interface TimeNews {
  readonly nowMs: number;
  readonly offsetMs: number;
  readonly nextDueAtMs?: number;
}

interface LiveOptions {
  readonly groups?: readonly string[];
  readonly follow?: string;
  readonly text?: string;
}

interface Listening {
  readonly samples?: (samples: readonly Sample[]) => void;
  readonly messages?: (news: Followed) => void;
  readonly problem?: (message: string) => void;
  /** This page reads too slowly: so many events were left out. */
  readonly dropped?: (events: number) => void;
}

/** The last samples of groups, by name, as the stream brings them. */
export const samples = signal<ReadonlyMap<string, Sample>>(new Map());
export const timeNews = signal<TimeNews | undefined>(undefined);
export const connection = signal<'connecting' | 'open' | 'lost'>('connecting');

/** Opens the stream while the page is open. @param options undefined: no stream */
export function useLive(options: LiveOptions | undefined, listening: Listening = {}): void {
  const latest = useRef(listening);
  latest.current = listening;
  const search = options === undefined ? undefined : searchOf(options);
  const isFollowing = options?.follow !== undefined;
  useEffect(() => {
    if (search === undefined) return;
    const start = () => open(search, () => latest.current);
    return isFollowing ? start() : whileShown(start);
  }, [search, isFollowing]);
}

/** A browser has six connections to a server without HTTP/2: tabs in the background would leave none to the others. */
function whileShown(start: () => () => void): () => void {
  let stop: (() => void) | undefined;
  const look = (): void => {
    if (!document.hidden) stop ??= start();
    else {
      stop?.();
      stop = undefined;
    }
  };
  look();
  document.addEventListener('visibilitychange', look);
  return () => {
    document.removeEventListener('visibilitychange', look);
    stop?.();
  };
}

function searchOf({ groups = [], follow, text }: LiveOptions): string {
  const query = new URLSearchParams();
  if (groups.length > 0) query.set('groups', groups.join(','));
  if (follow !== undefined) query.set('follow', follow);
  if (text !== undefined && text !== '') query.set('text', text);
  return query.toString();
}

/** How soon a stream is asked for again that the server has rejected: browsers give such a one up. */
const REJECTED_MS = 10_000;

function open(search: string, listening: () => Listening): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let source: EventSource | undefined;
  const start = (): void => {
    source = opened(search, listening);
    source.addEventListener('error', () => {
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(start, REJECTED_MS);
    });
  };
  start();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}

function opened(search: string, listening: () => Listening): EventSource {
  const source = new EventSource(`api/events?${search}`);
  const on = <T>(name: string, work: (data: T) => void): void =>
    source.addEventListener(name, ({ data }: MessageEvent<string>) => work(JSON.parse(data) as T));
  source.addEventListener('open', () => {
    connection.value = 'open';
  });
  source.addEventListener('error', () => {
    connection.value = 'lost';
  });
  on<{ readonly nowMs: number; readonly samples: readonly Sample[] }>('samples', (news) => {
    setServerNow(news.nowMs);
    const next = new Map(samples.peek());
    for (const one of news.samples) next.set(one.consumerGroup, one);
    if (news.samples.length > 0) samples.value = next;
    listening().samples?.(news.samples);
  });
  on<Followed>('messages', (news) => listening().messages?.(news));
  on<{ readonly message: string }>('problem', ({ message }) => listening().problem?.(message));
  on<{ readonly events: number }>('dropped', ({ events }) => listening().dropped?.(events));
  on<TimeNews>('time', (news) => {
    timeNews.value = news;
    movedMs.value = news.offsetMs;
  });
  return source;
}
