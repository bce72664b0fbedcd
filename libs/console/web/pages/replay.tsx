// Sends dead letters to their topics again, after showing what would go where, and to whom.

import type { ComponentChildren } from 'preact';
import { plural } from '../lib/format.js';
import type { DeadLetter, Message, Outcome } from '../types.js';
import { type FormProps, openChange } from '../ui/change.js';
import { ShortId } from '../ui/message-table.js';
import { GroupLink, Problems } from '../ui/parts.js';

interface ReplayValues {
  readonly perSecond: string;
  readonly isAgain: boolean;
  readonly isOnlyThisGroup: boolean;
}

interface ReplayRequest {
  /** Default: all groups. */
  readonly consumerGroup?: string;
  /** Default: all of the group. */
  readonly positions?: readonly string[];
  /** Only those of this topic. */
  readonly originTopic?: string | undefined;
  /** Only those that failed by this error. */
  readonly cause?: string | undefined;
}

interface Preview {
  readonly planned: readonly {
    readonly deadLetter: DeadLetter;
    readonly topic: string;
    readonly consumerGroups: readonly string[];
  }[];
  readonly skipped: readonly DeadLetter[];
  readonly failed: readonly { readonly deadLetter: DeadLetter; readonly error: { readonly message: string } }[];
  /** How many are not listed. */
  readonly more: { readonly skipped: number; readonly failed: number };
  /** Chosen, and no longer stored. */
  readonly gone?: readonly string[];
  readonly problems: readonly string[];
}

export function openReplay({ consumerGroup, positions, ...kind }: ReplayRequest): void {
  const isOne = positions?.length === 1;
  openChange<ReplayValues, Preview>({
    title: isOne ? 'Replay a dead letter' : `Replay dead letters of ${consumerGroup ?? 'all groups'}`,
    form: { perSecond: '', isAgain: false, isOnlyThisGroup: false },
    Form: consumerGroup === undefined ? AllGroupsForm : ReplayForm,
    body: ({ perSecond, isAgain, isOnlyThisGroup }) => ({
      action: 'replay',
      consumerGroup,
      allGroups: consumerGroup === undefined || undefined,
      positions,
      ...kind,
      again: isAgain || undefined,
      onlyThisGroup: isOnlyThisGroup || undefined,
      perSecond: perSecond === '' ? undefined : Number(perSecond),
    }),
    preview: (preview, { isOnlyThisGroup }) => <Shown preview={preview} isOnlyThisGroup={isOnlyThisGroup} />,
    confirm: ({ planned }) => (planned.length === 0 ? undefined : `Send ${plural(planned.length, 'message')}`),
    result: (outcome) => <Result outcome={outcome} />,
  });
}

function AllGroupsForm(props: FormProps<ReplayValues>) {
  return <ReplayForm {...props} who="Only the group that failed handles each" />;
}

function ReplayForm({ form, set, who = 'Only this group handles them' }: FormProps<ReplayValues> & { who?: string }) {
  return (
    <>
      <label class="field">
        <span>Messages per second</span>
        <select value={form.perSecond} onChange={({ currentTarget: { value } }) => set({ perSecond: value })}>
          <option value="">As fast as possible</option>
          {['1', '5', '10', '50', '100', '500'].map((rate) => (
            <option key={rate}>{rate}</option>
          ))}
        </select>
      </label>
      <label class="tick-field">
        <input
          type="checkbox"
          checked={form.isAgain}
          onChange={({ currentTarget }) => set({ isAgain: currentTarget.checked })}
        />
        <span>Also those that were replayed before</span>
      </label>
      <label class="tick-field">
        <input
          type="checkbox"
          checked={form.isOnlyThisGroup}
          onChange={({ currentTarget }) => set({ isOnlyThisGroup: currentTarget.checked })}
        />
        <span>{who}</span>
      </label>
    </>
  );
}

interface ShownProps {
  readonly preview: Preview;
  readonly isOnlyThisGroup: boolean;
}

function Shown({ preview, isOnlyThisGroup }: ShownProps) {
  const { planned, skipped, failed, more, gone = [], problems } = preview;
  const topics = [...new Set(planned.map(({ topic }) => topic))].map((topic) => ({
    topic,
    some: planned.filter((one) => one.topic === topic),
  }));
  return (
    <>
      <Problems list={problems} />
      {topics.map(({ topic, some }) => {
        const others = new Set(
          some.flatMap(({ deadLetter, consumerGroups }) =>
            consumerGroups.filter((name) => name !== deadLetter.consumerGroup),
          ),
        );
        return (
          <div key={topic} class="outcome">
            <p>
              <strong>{plural(some.length, 'message')}</strong> will be sent to <strong>{topic}</strong>.
            </p>
            {others.size > 0 && (
              <p class="notice">
                <strong>
                  {isOnlyThisGroup ? 'Other groups skip' : 'Other groups get'} {some.length === 1 ? 'it' : 'them'}
                  {!isOnlyThisGroup && ' too'}
                </strong>
                <span>
                  {[...others].map((name, index) => (
                    <span key={name}>
                      {index > 0 && ', '}
                      <GroupLink name={name} />
                    </span>
                  ))}
                  {isOnlyThisGroup
                    ? '. Consumers of other clients than this library, and simple consumers, handle the same message a second time.'
                    : '. They handle the same message a second time.'}
                </span>
              </p>
            )}
          </div>
        );
      })}
      {gone.length > 0 && <p class="muted">{plural(gone.length, 'message is', 'messages are')} no longer stored.</p>}
      <Lot
        title={`${plural(skipped.length + more.skipped, 'message')} not sent: replayed before`}
        rows={skipped.map((one) => [one, ''])}
        more={more.skipped}
      />
      <Lot
        title={`${plural(failed.length + more.failed, 'message')} cannot be sent`}
        isBad
        more={more.failed}
        rows={failed.map(({ deadLetter, error }) => [deadLetter, error.message])}
      />
      <Lot title={`What will be sent`} rows={planned.map(({ deadLetter, topic }) => [deadLetter, topic])} />
    </>
  );
}

interface LotProps {
  readonly title: string;
  readonly isBad?: boolean;
  /** How many there are beside the rows. */
  readonly more?: number;
  readonly rows: readonly (readonly [message: Pick<Message, 'messageId' | 'keys'>, text: ComponentChildren])[];
}

const MAX_SHOWN = 200;

function Lot({ title, isBad = false, more = 0, rows }: LotProps) {
  const left = Math.max(0, rows.length - MAX_SHOWN) + more;
  if (rows.length === 0) return null;
  return (
    <details class="more" open={isBad}>
      <summary class={isBad ? 'bad' : ''}>{title}</summary>
      <ul class="list panel">
        {rows.slice(0, MAX_SHOWN).map(([{ messageId, keys }, text], index) => (
          <li key={`${index} ${messageId}`}>
            <ShortId id={messageId} />
            <span>{keys.join(' ')}</span>
            <span class={isBad ? 'grow bad' : 'grow muted'}>{text}</span>
          </li>
        ))}
      </ul>
      {left > 0 && <p class="foot">and {plural(left, 'other')}</p>}
    </details>
  );
}

interface Details {
  readonly results?: readonly {
    readonly messageId: string;
    readonly outcome: string;
    readonly error?: { readonly message: string };
  }[];
}

/** What became of each message. */
function Result({ outcome: { details } }: { readonly outcome: Outcome }) {
  const { results = [] } = details as Details;
  const rowsOf = (wanted: string): LotProps['rows'] =>
    results
      .filter(({ outcome }) => outcome === wanted)
      .map(({ messageId, error }) => [{ messageId, keys: [] }, error?.message]);
  const [failed, sent, before] = [rowsOf('failed'), rowsOf('replayed'), rowsOf('replayed-before')];
  return (
    <>
      <Lot title={`${plural(failed.length, 'message')} could not be sent`} isBad rows={failed} />
      <Lot title={`${plural(sent.length, 'message')} sent`} rows={sent} />
      <Lot title={`${plural(before.length, 'message')} not sent: replayed before`} rows={before} />
    </>
  );
}
