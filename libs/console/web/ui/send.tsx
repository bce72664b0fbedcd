// A message by hand, to a topic.

import { bytes, fromLocalInput, localInput } from '../lib/format.js';
import { layoutOf } from '../lib/layout.js';
import { linkTo } from '../lib/router.js';
import { serverNow } from '../lib/session.js';
import { BodyField, Hidden } from './body-field.js';
import { type FormProps, openChange } from './change.js';

interface Draft {
  /** As its text field has it. */
  readonly text: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly tag: string;
  readonly keys: string;
  readonly messageGroup: string;
  readonly deliverAt: string;
  readonly type: string | undefined;
}

const IN_A_MINUTE_MS = 60_000;

/** @param like what the form begins with */
export function openSend(topic: string, type: string | undefined, like: Partial<Draft> = {}): void {
  const body = layoutOf(like.text ?? '', false);
  const deliverAt = type === 'delay' ? localInput(serverNow() + IN_A_MINUTE_MS) : '';
  openChange<Draft, Readonly<Record<string, unknown>>>({
    title: `Send to ${topic}`,
    form: { tag: '', keys: '', messageGroup: '', deliverAt, type, ...like, text: body.shown },
    Form: SendForm,
    body: ({ text, tag, keys, properties, messageGroup, deliverAt: at }) =>
      text === ''
        ? undefined
        : {
            action: 'send',
            topic,
            text: body.sent(text),
            tag: tag || undefined,
            keys: keys === '' ? undefined : keys.trim().split(/\s+/),
            properties,
            messageGroup: messageGroup || undefined,
            deliverAtMs: at === '' ? undefined : fromLocalInput(at, serverNow()),
          },
    preview: (preview, { text }) => (
      <p>
        One message of {bytes(new TextEncoder().encode(body.sent(text)).length)} to <strong>{topic}</strong>.{' '}
        <Receivers preview={preview} />
      </p>
    ),
    confirm: () => 'Send',
    result: ({ details }) => {
      const { messageId } = details as { readonly messageId?: string };
      if (messageId === undefined) return null;
      return (
        <p>
          <a href={linkTo(['topics', topic, 'messages', messageId])} class="mono">
            {messageId}
          </a>
        </p>
      );
    },
  });
}

function Receivers({ preview }: { readonly preview: Readonly<Record<string, unknown>> }) {
  const groups = preview.consumerGroups as readonly string[] | undefined;
  if (groups === undefined) return null;
  if (groups.length === 0) return <>No group consumes the topic at present.</>;
  return <>These groups get it: {groups.join(', ')}.</>;
}

function SendForm({ form, set }: FormProps<Draft>) {
  return (
    <>
      <BodyField rows={6} text={form.text} onText={(text) => set({ text })} />
      <label class="field">
        <span>Keys, separated by spaces</span>
        <input type="text" value={form.keys} onInput={({ currentTarget }) => set({ keys: currentTarget.value })} />
        <Hidden text={form.keys} />
      </label>
      <label class="field">
        <span>Tag</span>
        <input type="text" value={form.tag} onInput={({ currentTarget }) => set({ tag: currentTarget.value })} />
        <Hidden text={form.tag} />
      </label>
      {form.type === 'fifo' && (
        <label class="field">
          <span>Message group</span>
          <input
            type="text"
            required
            value={form.messageGroup}
            onInput={({ currentTarget }) => set({ messageGroup: currentTarget.value })}
          />
        </label>
      )}
      {form.type === 'delay' && (
        <label class="field">
          <span>Deliver at</span>
          <input
            type="datetime-local"
            step="1"
            required
            value={form.deliverAt}
            onInput={({ currentTarget }) => set({ deliverAt: currentTarget.value })}
          />
        </label>
      )}
    </>
  );
}
