// The broker's time, where it can be moved: never without showing what becomes due on the way.

import { useEffect } from 'preact/hooks';
import { ago, duration, plural, time } from '../lib/format.js';
import { timeNews } from '../lib/live.js';
import { useResource } from '../lib/resource.js';
import { linkTo } from '../lib/router.js';
import { may, movedMs, nowMs } from '../lib/session.js';
import type { Due, TimePage } from '../types.js';
import { type FormProps, openChange } from './change.js';
import { ShortId } from './message-table.js';

const REFRESH_MS = 10_000;
const MINUTE_MS = 60_000;
const KINDS: Readonly<Record<string, string>> = {
  delayed: 'Delayed message',
  retry: 'Redelivery',
  lease: 'End of a lease',
  check: 'Transaction check',
};

type Jump = { readonly by: number } | { readonly to: number } | { readonly next: true };

interface JumpForm {
  readonly isDuringWork: boolean;
}

interface JumpPreview {
  readonly toMs: number;
  readonly due: readonly Due[];
  readonly dueMore: boolean;
}

export function TimeBar() {
  const { value, error } = useResource<TimePage>('time', REFRESH_MS);
  useEffect(() => {
    if (value === undefined) return;
    timeNews.value = value;
    movedMs.value = value.offsetMs;
  }, [value]);
  const news = timeNews.value;
  const now = nowMs.value + movedMs.value;
  const nextMs = news === undefined ? value?.nextDueAtMs : news.nextDueAtMs;
  const offsetMs = news?.offsetMs ?? value?.offsetMs ?? 0;
  const first = value?.due[0];
  return (
    <section class="time-bar" aria-label="The broker’s time">
      <span class="clock">
        <span class="muted">Broker time</span> <strong>{time(now, nowMs.value, false)}</strong>
        {offsetMs > 0 && <span class="chip accent">{duration(offsetMs)} ahead</span>}
      </span>
      <span class="next muted">
        {error?.message}
        {error === undefined && nextMs === undefined && 'Nothing is due'}
        {nextMs !== undefined && (
          <>
            Next:{' '}
            {first?.atMs === nextMs ? `${(KINDS[first.kind] ?? first.kind).toLowerCase()} of ${first.topic} ` : ''}
            <time title={time(nextMs, now)}>{nextMs <= now ? 'now' : ago(nextMs, now)}</time>
          </>
        )}
      </span>
      {may('time') && (
        <span class="jumps">
          <button type="button" onClick={() => openJump('Move time by 1 minute', { by: MINUTE_MS })}>
            +1 min
          </button>
          <button type="button" onClick={() => openJump('Move time by 1 hour', { by: 60 * MINUTE_MS })}>
            +1 h
          </button>
          <button
            type="button"
            disabled={nextMs === undefined}
            onClick={() => openJump('Move time to the next event', { next: true })}
          >
            To next event
          </button>
        </span>
      )}
    </section>
  );
}

/** Shows what becomes due, then moves the time. */
export function openJump(title: string, jump: Jump): void {
  openChange<JumpForm, JumpPreview>({
    title,
    form: { isDuringWork: false },
    Form: DuringWork,
    body: ({ isDuringWork }) => ({ action: 'time', ...jump, duringWork: isDuringWork || undefined }),
    isDangerous: false,
    preview: (preview) => (
      <>
        <p>The broker’s clock moves to {time(preview.toMs, nowMs.peek() + movedMs.peek())}. It cannot be moved back.</p>
        {preview.due.length === 0 ? <p class="muted">Nothing becomes due on the way.</p> : <DueList {...preview} />}
      </>
    ),
    confirm: ({ toMs }) => `Move by ${duration(Math.max(0, toMs - nowMs.peek() - movedMs.peek()))}`,
  });
}

function DuringWork({ form, set }: FormProps<JumpForm>) {
  return (
    <label class="tick-field">
      <input
        type="checkbox"
        checked={form.isDuringWork}
        onChange={({ currentTarget }) => set({ isDuringWork: currentTarget.checked })}
      />
      <span>Also while consumers hold messages: their leases may end</span>
    </label>
  );
}

function DueList({ due, dueMore }: JumpPreview) {
  return (
    <>
      <h3>
        {dueMore ? 'More than ' : ''}
        {plural(due.length, 'event')} on the way
      </h3>
      <ol class="list">
        {due.map((one, index) => (
          <li key={`${index} ${one.messageId}`}>
            <time dateTime={new Date(one.atMs).toISOString()}>
              {time(one.atMs, nowMs.peek() + movedMs.peek(), false)}
            </time>
            <span>{KINDS[one.kind] ?? one.kind}</span>
            <span class="grow">
              {one.topic}{' '}
              {one.messageId !== undefined && (
                <a href={linkTo(['topics', one.topic, 'messages', one.messageId])}>
                  <ShortId id={one.messageId} />
                </a>
              )}
            </span>
            <span class="muted">{one.consumerGroup}</span>
          </li>
        ))}
      </ol>
    </>
  );
}
