// A dead letter beside the message that it was, and a copy of it with another body.

import { useEffect, useRef } from 'preact/hooks';
import { bytes, pretty } from '../lib/format.js';
import { useResource } from '../lib/resource.js';
import { linkTo, setQuery } from '../lib/router.js';
import { may } from '../lib/session.js';
import type { DeadLetter, Message } from '../types.js';
import { type FormProps, openChange } from '../ui/change.js';
import { Code, Empty, Facts, Loaded, Time } from '../ui/parts.js';
import { openReplay } from './replay.js';

interface Both {
  readonly deadLetter: DeadLetter;
  readonly original?: Message;
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
          {read.value.deadLetter.body.kind === 'text' && (
            <button type="button" onClick={() => openEdited(group, position, read.value?.deadLetter)}>
              Send an edited copy
            </button>
          )}
          <button type="button" class="primary" onClick={() => openReplay(group, [position])}>
            Replay
          </button>
        </footer>
      )}
    </dialog>
  );
}

function Shown({
  both: { deadLetter, original },
  reason,
}: {
  readonly both: Both;
  readonly reason: string | undefined;
}) {
  const { originTopic, messageId, keys, storeTimestampMs, reconsumeTimes } = deadLetter;
  return (
    <>
      <Facts
        facts={[
          ['Dead since', <Time ms={storeTimestampMs} />],
          ['Deliveries', reconsumeTimes],
          ['Keys', keys.join(' ') || '–'],
          ['Reason', reason ?? 'not noted'],
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
            The original is no longer stored: its retention time is over, or its topic was deleted. This is the copy.
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
  return <Code label="Body">{pretty(body.text)}</Code>;
}

/** What differs, line by line; what is equal is said in a sentence. */
function Difference({ from, to }: { readonly from: Message; readonly to: Message }) {
  const names = [...new Set([...Object.keys(from.properties), ...Object.keys(to.properties)])].toSorted();
  const changed = names.filter((name) => from.properties[name] !== to.properties[name]);
  const [left, right] = [textOf(from), textOf(to)];
  const isSame = left === right;
  return (
    <>
      <p class="muted">
        {isSame ? 'The body is that of the original' : 'The body differs from the original'}
        {changed.length === 0 ? ', and so are its properties.' : '; these properties differ:'}
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
      {isSame ? <Body message={to} /> : <Lines from={left} to={right} />}
    </>
  );
}

function textOf({ body }: Message): string {
  if (body.kind === 'text') return pretty(body.text);
  return body.kind === 'binary' ? body.base64 : `${bytes(body.bytes)}, hidden`;
}

/** Equal lines at the start and the end are shown once; between them those that went, then those that came. */
function Lines({ from, to }: { readonly from: string; readonly to: string }) {
  const [left, right] = [from.split('\n'), to.split('\n')];
  const most = Math.min(left.length, right.length);
  let start = 0;
  while (start < most && left[start] === right[start]) start++;
  let end = 0;
  while (end < most - start && left.at(-1 - end) === right.at(-1 - end)) end++;
  const tail = end === 0 ? [] : right.slice(-end);
  return (
    <Code label="What differs">
      {right.slice(0, start).join('\n')}
      {left.slice(start, left.length - end).map((line) => (
        <del key={line}>{`\n− ${line}`}</del>
      ))}
      {right.slice(start, right.length - end).map((line) => (
        <ins key={line}>{`\n+ ${line}`}</ins>
      ))}
      {tail.length > 0 && `\n${tail.join('\n')}`}
    </Code>
  );
}

interface Edited {
  readonly text: string;
}

interface EditedPreview {
  readonly topic: string;
  readonly consumerGroups: readonly string[];
  /** Whether this console has sent an edited copy of it before. */
  readonly editedBefore: boolean;
}

function openEdited(consumerGroup: string, position: string, deadLetter: DeadLetter | undefined): void {
  if (deadLetter?.body.kind !== 'text') return;
  const original = deadLetter.body.text;
  openChange<Edited, EditedPreview>({
    title: 'Send an edited copy',
    form: { text: pretty(original) },
    Form: EditForm,
    body: ({ text }) => ({ action: 'replay', consumerGroup, positions: [position], edited: { text } }),
    preview: (preview) => (
      <p>
        A new message with an ID of its own goes to <strong>{preview.topic}</strong>. It is marked as edited. The dead
        letter stays.{' '}
        {preview.editedBefore && <strong>An edited copy of it was sent before: this is another one. </strong>}
        {preview.consumerGroups.length > 0 && `These groups get it: ${preview.consumerGroups.join(', ')}.`}
      </p>
    ),
    confirm: (_preview, { text }) => (text === pretty(original) ? undefined : 'Send the copy'),
  });
}

function EditForm({ form, set }: FormProps<Edited>) {
  return (
    <label class="field wide">
      <span>Body</span>
      <textarea
        class="mono"
        rows={14}
        spellcheck={false}
        value={form.text}
        onInput={({ currentTarget }) => set({ text: currentTarget.value })}
      />
    </label>
  );
}
