import { bytes } from '../lib/format.js';
import { linkTo } from '../lib/router.js';
import type { Body, Message } from '../types.js';
import { Time } from './parts.js';
import { type Column, Table } from './table.js';

/** With the indents around them; all other white space may be a part of a value. */
const LINE_ENDS = /[ \t]*[\r\n]+[ \t]*/g;

/** The start of a body, in one line. */
export function Peek({ body }: { readonly body: Body }) {
  if (body.kind === 'hidden') return <span class="muted">{bytes(body.bytes)}, hidden</span>;
  if (body.kind === 'binary') return <span class="muted">{bytes(body.bytes)}, binary</span>;
  return <span class="mono peek">{body.text.slice(0, 400).replace(LINE_ENDS, ' ').slice(0, 200)}</span>;
}

/** The columns that tell messages apart. */
const KEYS: Column<Message> = { name: 'Keys', width: 132, cell: ({ keys }) => keys.join(' ') || '–' };
const TAG: Column<Message> = {
  name: 'Tag',
  width: 92,
  isExtra: true,
  cell: ({ tag }) => (tag === undefined ? '' : <span class="chip">{tag}</span>),
};
const BODY: Column<Message> = { name: 'Body', cell: ({ body }) => <Peek body={body} /> };
const STORED: Column<Message> = { name: 'Stored', width: 124, cell: ({ storeTimestampMs: ms }) => <Time ms={ms} /> };
const PLACE: Column<Message> = {
  name: 'Queue:offset',
  width: 108,
  isNumber: true,
  isExtra: true,
  cell: ({ queueId, queueOffset }) => `${queueId}:${queueOffset}`,
};
const ID: Column<Message> = {
  name: 'ID',
  width: 116,
  cell: ({ messageId }) => <ShortId id={messageId} />,
};

/** Ids differ at their end: the start is the machine's. */
export function ShortId({ id }: { readonly id: string }) {
  return (
    <span class="mono" title={id}>
      {id.length > 12 ? `…${id.slice(-10)}` : id}
    </span>
  );
}

/** Of one copy; the same message may be stored several times. */
export function placeOf({ broker, queueId, queueOffset }: Message): string {
  return `${broker}/${queueId}/${queueOffset}`;
}

interface Props {
  readonly messages: readonly Message[];
  readonly topic: string;
  readonly isFresh?: (message: Message) => boolean;
}

export function MessageTable({ messages, topic, isFresh }: Props) {
  return (
    <Table
      label={`Messages of ${topic}`}
      rows={messages}
      columns={[STORED, KEYS, TAG, BODY, PLACE, ID]}
      keyOf={placeOf}
      hrefOf={({ messageId }) => linkTo(['topics', topic, 'messages', messageId])}
      isFresh={isFresh}
    />
  );
}
