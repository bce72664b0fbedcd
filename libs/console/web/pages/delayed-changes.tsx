// What can be done to a delayed message before it is due.

import type { Delayed } from '../types.js';
import { openChange } from '../ui/change.js';
import { Peek } from '../ui/message-table.js';
import { Facts, Time } from '../ui/parts.js';

export function openRecall(message: Delayed): void {
  const { broker, originTopic, recallHandle, messageId } = message;
  openChange({
    title: 'Cancel a delayed message',
    form: {},
    body: () => ({ action: 'recall', broker, originTopic, recallHandle, messageId }),
    preview: () => (
      <>
        <About message={message} />
        <p>No group will get it. A canceled message cannot be brought back.</p>
      </>
    ),
    confirm: () => 'Cancel the message',
    isDangerous: true,
  });
}

export function openDeliver(message: Delayed): void {
  const { originTopic, messageId } = message;
  openChange<object, { readonly consumerGroups: readonly string[] }>({
    title: 'Deliver a delayed message now',
    form: {},
    body: () => ({ action: 'deliver', topic: originTopic, messageId }),
    preview: ({ consumerGroups }) => (
      <>
        <About message={message} />
        <p>
          {consumerGroups.length === 0
            ? `No group consumes ${originTopic} at present.`
            : `These groups get it now instead: ${consumerGroups.join(', ')}.`}
        </p>
      </>
    ),
    confirm: () => 'Deliver now',
  });
}

function About({ message }: { readonly message: Delayed }) {
  const { originTopic, keys, dueTimestampMs, body } = message;
  return (
    <>
      <Facts
        facts={[
          ['Topic', originTopic],
          ['Keys', keys.join(' ') || '–'],
          ['Due', <Time ms={dueTimestampMs} isCoarse />],
        ]}
      />
      <p class="clip">
        <Peek body={body} />
      </p>
    </>
  );
}
