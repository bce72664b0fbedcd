// What can be done to delayed messages before they are due.

import { plural } from '../lib/format.js';
import type { Delayed } from '../types.js';
import { openChange } from '../ui/change.js';
import { Peek, ShortId } from '../ui/message-table.js';
import { Facts, Time } from '../ui/parts.js';

interface Preview {
  readonly waiting: readonly { readonly messageId: string; readonly dueAtMs: number }[];
  /** Ids of those that do not wait any more. */
  readonly gone: readonly string[];
  readonly consumerGroups: readonly string[];
}

/** @param messages of one topic, at least one */
export function openRecall(messages: readonly Delayed[]): void {
  openChange<object, Preview>({
    title: messages.length === 1 ? 'Cancel a delayed message' : `Cancel ${messages.length} delayed messages`,
    form: {},
    body: () => bodyOf('recall', messages),
    preview: (preview) => (
      <>
        <About messages={messages} preview={preview} />
        <p>No group will get {messages.length === 1 ? 'it' : 'them'}. What is canceled cannot be brought back.</p>
      </>
    ),
    confirm: ({ waiting }) =>
      waiting.length === 1 ? 'Cancel the message' : `Cancel ${plural(waiting.length, 'message')}`,
    isDangerous: true,
  });
}

/** @param messages of one topic, at least one */
export function openDeliver(messages: readonly Delayed[]): void {
  const topic = messages[0]?.originTopic;
  openChange<object, Preview>({
    title: messages.length === 1 ? 'Deliver a delayed message now' : `Deliver ${messages.length} delayed messages now`,
    form: {},
    body: () => bodyOf('deliver', messages),
    preview: (preview) => (
      <>
        <About messages={messages} preview={preview} />
        <p>
          {preview.consumerGroups.length === 0
            ? `No group consumes ${topic} at present.`
            : `These groups get ${messages.length === 1 ? 'it' : 'them'} now instead: ${preview.consumerGroups.join(', ')}.`}
        </p>
      </>
    ),
    confirm: ({ waiting }) =>
      waiting.length === 1 ? 'Deliver now' : `Deliver ${plural(waiting.length, 'message')} now`,
  });
}

function bodyOf(action: 'recall' | 'deliver', messages: readonly Delayed[]) {
  return { action, topic: messages[0]?.originTopic, messageIds: messages.map(({ messageId }) => messageId) };
}

function About({ messages, preview }: { readonly messages: readonly Delayed[]; readonly preview: Preview }) {
  const [only, ...more] = messages;
  const { waiting, gone } = preview;
  return (
    <>
      {gone.length > 0 && <p class="warn">{plural(gone.length, 'message does', 'messages do')} not wait any more.</p>}
      {only !== undefined && more.length === 0 ? (
        <>
          <Facts
            facts={[
              ['Topic', only.originTopic],
              ['Keys', only.keys.join(' ') || '–'],
              ['Due', <Time ms={only.dueTimestampMs} isCoarse />],
            ]}
          />
          <p class="clip">
            <Peek body={only.body} />
          </p>
        </>
      ) : (
        <ol class="list">
          {waiting.map(({ messageId, dueAtMs }) => (
            <li key={`${messageId} ${dueAtMs}`}>
              <Time ms={dueAtMs} isCoarse />
              <span class="grow">
                <ShortId id={messageId} />
              </span>
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
