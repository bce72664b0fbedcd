// A dead letter beside the message that it was, and a copy of it with another body.

import { useEffect, useRef } from 'preact/hooks';
import { bytes } from '../lib/format.js';
import { type Layout, layoutOf } from '../lib/layout.js';
import { useResource } from '../lib/resource.js';
import { linkTo, setQuery } from '../lib/router.js';
import { may } from '../lib/session.js';
import type { BrokerProblem, DeadLetter, Message } from '../types.js';
import { BodyField } from '../ui/body-field.js';
import { type FormProps, openChange } from '../ui/change.js';
import { BodyText, Code, Empty, Facts, Loaded, Problems, Time, textsOf } from '../ui/parts.js';
import { openReplay } from './replay.js';

interface Both {
  readonly deadLetter: DeadLetter;
  readonly original?: Message;
  readonly problems: readonly BrokerProblem[];
}

const REPLAYED = {
  replayed: 'yes',
  edited: 'edited copy',
  'not-replayed': 'no',
  'not-replayable': 'cannot be',
} as const;
const LOOKS = {
  replayed: 'chip good',
  edited: 'chip good',
  'not-replayed': 'muted',
  'not-replayable': 'chip warn',
} as const;

/** What a replay would skip, or could not send. */
export function Replayed({ replay }: Pick<DeadLetter, 'replay'>) {
  if (replay === undefined) return <span class="muted">not known</span>;
  return (
    <span class={LOOKS[replay.kind]} title={replay.kind === 'not-replayable' ? replay.error.message : undefined}>
      {REPLAYED[replay.kind]}
    </span>
  );
}

interface ComparedProps {
  readonly group: string;
  readonly position: string;
  /** Why it is one, as the list knows it. */
  readonly reason: string | undefined;
}

export function Compared({ group, position, reason }: ComparedProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const path = `groups/${encodeURIComponent(group)}/dead-letters/compare?position=${encodeURIComponent(position)}`;
  const read = useResource<Both>(path);
  useEffect(() => dialog.current?.showModal(), []);
  const close = (): void => setQuery({ at: '' });
  return (
    <dialog ref={dialog} class="sheet" aria-labelledby="compared-title" onClose={close}>
      <header>
        <h2 id="compared-title">Dead letter</h2>
        <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
          Close <kbd>Esc</kbd>
        </button>
      </header>
      <div class="inside">
        <Loaded of={read}>{(both) => <Shown both={both} reason={reason} />}</Loaded>
      </div>
      {read.value !== undefined && may('replay') && (
        <footer>
          {may('send') && isOwn(read.value.deadLetter.body) && (
            <button type="button" onClick={() => openEdited(group, position, read.value?.deadLetter)}>
              Send an edited copy
            </button>
          )}
          <button
            type="button"
            class="primary"
            onClick={() => openReplay({ consumerGroup: group, positions: [position] })}
          >
            Replay
          </button>
        </footer>
      )}
    </dialog>
  );
}

function Shown({
  both: { deadLetter, original, problems },
  reason,
}: {
  readonly both: Both;
  readonly reason: string | undefined;
}) {
  const { originTopic, messageId, keys, storeTimestampMs, reconsumeTimes, replay } = deadLetter;
  return (
    <>
      <Problems list={textsOf(problems)} />
      <Facts
        facts={[
          ['Dead since', <Time ms={storeTimestampMs} />],
          ['Deliveries', reconsumeTimes],
          ['Keys', keys.join(' ') || '–'],
          ['Reason', reason ?? 'not kept'],
          [
            'Replayed',
            <Replayed replay={replay} />,
            replay?.kind === 'not-replayable' ? replay.error.message : undefined,
          ],
          [
            'Message',
            originTopic === undefined ? (
              messageId
            ) : (
              <a class="mono" href={linkTo(['topics', originTopic, 'messages', messageId])}>
                {messageId}
              </a>
            ),
          ],
        ]}
      />
      {original === undefined ? (
        <>
          <p class="notice">
            {problems.length === 0
              ? 'The original is no longer stored: its retention time is over, or its topic was deleted. '
              : 'The original is not at hand. '}
            This is the copy.
          </p>
          <Body message={deadLetter} />
        </>
      ) : (
        <Difference from={original} to={deadLetter} />
      )}
    </>
  );
}

function Body({ message: { body } }: { readonly message: Message }) {
  if (body.kind !== 'text') return <Empty title={`${bytes(body.bytes)}, ${body.kind}`} />;
  return <BodyText text={body.text} />;
}

/** Whether it is here as it is stored: a copy of what the rule for bodies shows instead would lose what that hides. */
function isOwn(body: Message['body']): body is Extract<Message['body'], { readonly kind: 'text' }> {
  return body.kind === 'text' && !body.isReplaced && !body.isCut;
}

/** What differs, line by line; what is equal is said in a sentence. */
function Difference({ from, to }: { readonly from: Message; readonly to: Message }) {
  const names = [...new Set([...Object.keys(from.properties), ...Object.keys(to.properties)])].toSorted();
  const changed = names.filter((name) => from.properties[name] !== to.properties[name]);
  const change = changeOf(from.body, to.body);
  return (
    <>
      <p class="muted">
        {SENTENCES[change]}
        {changed.length === 0 ? ', and its properties are those of the original.' : '; these properties differ:'}
      </p>
      {changed.length > 0 && (
        <dl class="panel pairs">
          {changed.map((name) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd class="mono">
                <del>{from.properties[name] ?? 'not set'}</del> <ins>{to.properties[name] ?? 'not set'}</ins>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {change === 'other' || change === 'white space' ? (
        <Lines from={linesOf(from.body, change)} to={linesOf(to.body, change)} />
      ) : (
        <Body message={to} />
      )}
    </>
  );
}

type BodyChange = 'none' | 'white space' | 'other' | 'not known';

const SENTENCES: Readonly<Record<BodyChange, string>> = {
  none: 'The body is that of the original',
  'white space': 'The body differs from the original, in white space only',
  other: 'The body differs from the original',
  'not known': 'Whether the body is that of the original is hidden, as the body is',
};

/** By what is stored, not by what it means: another number of digits is another body. */
function changeOf(from: Message['body'], to: Message['body']): BodyChange {
  const isHidden = [from, to].some((body) => body.kind === 'hidden' || (body.kind === 'text' && body.isReplaced));
  if (isHidden) return 'not known';
  if (from.kind === 'text' && to.kind === 'text') {
    if (from.text === to.text) return 'none';
    return layoutOf(from.text).shown === layoutOf(to.text).shown ? 'white space' : 'other';
  }
  return from.kind === 'binary' && to.kind === 'binary' && from.base64 === to.base64 ? 'none' : 'other';
}

/** @param change what there is to see */
function linesOf(body: Message['body'], change: BodyChange): readonly string[] {
  if (body.kind === 'hidden') return [];
  if (body.kind === 'binary') return [`${bytes(body.bytes)} that are not text, in base64: ${body.base64}`];
  const text = change === 'white space' ? withMarks(body.text) : layoutOf(body.text).shown;
  return text.split('\n');
}

/** White space as signs, which show where it differs. */
function withMarks(text: string): string {
  return text.replaceAll(' ', '·').replaceAll('\t', '→').replaceAll('\r', '␍').replace(/\n/g, '␊\n');
}

/** Equal lines at the start and the end are shown once; between them those that went, then those that came. */
function Lines({ from: left, to: right }: { readonly from: readonly string[]; readonly to: readonly string[] }) {
  const most = Math.min(left.length, right.length);
  let start = 0;
  while (start < most && left[start] === right[start]) start++;
  let end = 0;
  while (end < most - start && left.at(-1 - end) === right.at(-1 - end)) end++;
  const tail = end === 0 ? [] : right.slice(-end);
  return (
    <Code label="What differs">
      {right.slice(0, start).join('\n')}
      {left.slice(start, left.length - end).map((line, index) => (
        <del key={`${index} ${line}`}>{`\n− ${line}`}</del>
      ))}
      {right.slice(start, right.length - end).map((line, index) => (
        <ins key={`${index} ${line}`}>{`\n+ ${line}`}</ins>
      ))}
      {tail.length > 0 && `\n${tail.join('\n')}`}
    </Code>
  );
}

interface Edited {
  /** As its text field has it. */
  readonly text: string;
}

interface EditedPreview {
  readonly topic: string;
  readonly consumerGroups: readonly string[];
  /** Whether this console has sent an edited copy of it before. */
  readonly editedBefore: boolean;
}

function openEdited(consumerGroup: string, position: string, deadLetter: DeadLetter | undefined): void {
  if (deadLetter === undefined || !isOwn(deadLetter.body)) return;
  const body: Layout = layoutOf(deadLetter.body.text);
  openChange<Edited, EditedPreview>({
    title: 'Send an edited copy',
    form: { text: body.shown },
    Form: EditForm,
    body: ({ text }) => ({
      action: 'replay',
      consumerGroup,
      positions: [position],
      edited: { text: body.sent(text) },
    }),
    preview: (preview) => (
      <p>
        A new message with an ID of its own goes to <strong>{preview.topic}</strong>. It is marked as edited. The dead
        letter stays.{' '}
        {preview.editedBefore && <strong>An edited copy of it was sent before: this is another one. </strong>}
        {preview.consumerGroups.length > 0 && `These groups get it: ${preview.consumerGroups.join(', ')}.`}
      </p>
    ),
    confirm: (_preview, { text }) => (text === body.shown ? undefined : 'Send the copy'),
  });
}

function EditForm({ form, set }: FormProps<Edited>) {
  return <BodyField rows={14} text={form.text} onText={(text) => set({ text })} />;
}
