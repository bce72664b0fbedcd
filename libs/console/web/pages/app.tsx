import { count, duration } from '../lib/format.js';
import { useResource } from '../lib/resource.js';
import { linkTo } from '../lib/router.js';
import { may } from '../lib/session.js';
import type { AppEvent } from '../types.js';
import { type FormProps, openChange } from '../ui/change.js';
import { ShortId } from '../ui/message-table.js';
import { Empty, Facts, Head, Loaded, Problems, Section, Time } from '../ui/parts.js';
import { Table } from '../ui/table.js';

const REFRESH_MS = 3_000;
const MAX_CONCURRENCY = 1_024;

interface Listener {
  readonly name: string;
  readonly topic: string;
  readonly consumerGroup: string;
  readonly filter: string;
  readonly status: string;
  readonly concurrency?: number;
  readonly running: number;
}

interface Answer {
  readonly instance: string;
  readonly listeners: readonly Listener[];
  readonly events: readonly AppEvent[];
  readonly health: { readonly status: string; readonly details?: HealthReport };
}

interface HealthReport {
  readonly problems?: readonly unknown[];
  readonly consumers?: readonly ConsumerReport[];
}

export function AppPage() {
  const read = useResource<Answer>('app', REFRESH_MS);
  return (
    <>
      <Head title="Application" />
      <Loaded of={read}>
        {({ instance, listeners, events, health }) => (
          <>
            <Problems list={(health.details?.problems ?? []).map(textOf)} />
            <Facts
              facts={[
                ['Instance', <span class="mono">{instance}</span>],
                ['Health', <Health status={health.status} />],
                ['Listeners', listeners.length],
                ['Being handled', count(listeners.reduce((sum, { running }) => sum + running, 0))],
              ]}
            />
            <Listeners listeners={listeners} instance={instance} consumers={health.details?.consumers ?? []} />
            <Consumers consumers={health.details?.consumers ?? []} />
            <Events events={events} />
          </>
        )}
      </Loaded>
    </>
  );
}

function textOf(problem: unknown): string {
  return typeof problem === 'string' ? problem : JSON.stringify(problem);
}

function Health({ status }: { readonly status: string }) {
  const isUp = /^(up|ok|healthy)$/i.test(status);
  return <span class={`chip ${isUp ? 'good' : 'bad'}`}>{status}</span>;
}

interface ListenersProps {
  readonly listeners: readonly Listener[];
  readonly instance: string;
  readonly consumers: readonly ConsumerReport[];
}

function Listeners({ listeners, instance, consumers }: ListenersProps) {
  if (listeners.length === 0) {
    return (
      <Section title="Listeners">
        <div class="panel">
          <Empty title="No listeners">
            Mark a method with <code>@RocketMQListener</code> to have one.
          </Empty>
        </div>
      </Section>
    );
  }
  const limitErrorOf = ({ status, consumerGroup }: Listener): string | undefined =>
    status === 'limited' ? consumers.find((one) => one.consumerGroup === consumerGroup)?.health?.limitError : undefined;
  const tools = (one: Listener) => (
    <span class="row-tools">
      <button type="button" class="small" onClick={() => openPause(one, instance)}>
        {one.status === 'paused' ? 'Resume' : 'Pause'}
      </button>
      <button type="button" class="small" onClick={() => openConcurrency(one, instance)}>
        Concurrency
      </button>
    </span>
  );
  return (
    <Section title="Listeners" note="of this instance only">
      <Table
        label="Listeners"
        rows={listeners}
        keyOf={({ name }) => name}
        hrefOf={({ consumerGroup }) => linkTo(['groups', consumerGroup])}
        columns={[
          { name: 'Listener', cell: ({ name }) => name },
          { name: 'Group', width: 150, cell: ({ consumerGroup }) => consumerGroup },
          {
            name: 'Topic',
            width: 160,
            isExtra: true,
            cell: ({ topic, filter }) => (filter === '*' ? topic : `${topic}, ${filter}`),
          },
          {
            name: 'Status',
            width: 180,
            cell: (one) => <ListenerStatus status={one.status} limitError={limitErrorOf(one)} />,
          },
          {
            name: 'Running',
            width: 104,
            isNumber: true,
            cell: ({ running, concurrency }) => `${running} of ${concurrency ?? '–'}`,
          },
          ...(may('listeners') ? [{ name: 'Change', width: 196, cell: tools } as const] : []),
        ]}
      />
    </Section>
  );
}

/** A limit over all instances needs its store. */
function ListenerStatus({ status, limitError }: { readonly status: string; readonly limitError: string | undefined }) {
  if (limitError === undefined) return <Status status={status} />;
  return (
    <span title={limitError}>
      <span class="chip bad">{status}</span> {limitError}
    </span>
  );
}

function Status({ status }: { readonly status: string }) {
  const tones: Readonly<Record<string, string>> = {
    listening: 'good',
    running: 'good',
    paused: 'warn',
    'group-paused': 'warn',
    limited: 'warn',
    failed: 'bad',
  };
  return <span class={`chip ${tones[status] ?? ''}`}>{status}</span>;
}

function openPause({ name, status }: Listener, instance: string): void {
  const change = status === 'paused' ? 'resume' : 'pause';
  openChange({
    title: `${change === 'pause' ? 'Pause' : 'Resume'} ${name}`,
    form: {},
    body: () => ({ action: 'listeners', listener: name, change }),
    preview: () => (
      <p>
        {change === 'pause'
          ? 'It receives nothing until it is resumed; what it handles now is finished. '
          : 'It receives messages again. '}
        <strong>This instance only</strong> ({instance}): others go on as they are, and a restart forgets it. To stop
        all instances, pause the group.
      </p>
    ),
    confirm: () => (change === 'pause' ? 'Pause' : 'Resume'),
  });
}

interface ConcurrencyValues {
  readonly concurrency: number;
}

function openConcurrency({ name, concurrency = 1 }: Listener, instance: string): void {
  openChange<ConcurrencyValues, unknown>({
    title: `Concurrency of ${name}`,
    form: { concurrency },
    Form: ConcurrencyForm,
    body: (form) =>
      form.concurrency >= 1
        ? { action: 'listeners', listener: name, change: 'concurrency', concurrency: form.concurrency }
        : undefined,
    preview: (_preview, form) => (
      <p>
        From {concurrency} to <strong>{form.concurrency}</strong> handlers at once. <strong>This instance only</strong>{' '}
        ({instance}), until it restarts.
      </p>
    ),
    confirm: (_preview, form) => (form.concurrency === concurrency ? undefined : `Set to ${form.concurrency}`),
  });
}

function ConcurrencyForm({ form, set }: FormProps<ConcurrencyValues>) {
  return (
    <label class="field">
      <span>Handlers at once</span>
      <input
        type="number"
        min={1}
        max={MAX_CONCURRENCY}
        value={form.concurrency}
        onInput={({ currentTarget }) => set({ concurrency: Number(currentTarget.value) })}
      />
    </label>
  );
}

/** What the health report has for each consumer, of whatever version the library is. */
interface ConsumerReport {
  readonly consumerGroup: string;
  readonly status: string;
  readonly health?: {
    readonly unsettled?: number;
    readonly limitError?: string;
    readonly longestHandlerMs?: number;
    readonly sessions?: readonly { readonly endpoint: string; readonly status: string }[];
    readonly topics?: readonly { readonly lastReceiveAtMs?: number }[];
  };
}

function Consumers({ consumers }: { readonly consumers: readonly ConsumerReport[] }) {
  if (consumers.length === 0) return null;
  return (
    <Section title="Consumers">
      <Table
        label="Consumers"
        rows={consumers}
        keyOf={({ consumerGroup }) => consumerGroup}
        hrefOf={({ consumerGroup }) => linkTo(['groups', consumerGroup])}
        columns={[
          { name: 'Group', cell: ({ consumerGroup }) => consumerGroup },
          { name: 'Status', width: 110, cell: ({ status }) => <Status status={status} /> },
          {
            name: 'Connections',
            width: 220,
            isExtra: true,
            cell: ({ health }) => <Sessions list={health?.sessions ?? []} />,
          },
          { name: 'Unsettled', width: 100, isNumber: true, cell: ({ health }) => health?.unsettled ?? '–' },
          {
            name: 'Longest handler',
            width: 130,
            isNumber: true,
            cell: ({ health }) => (health?.longestHandlerMs === undefined ? '–' : duration(health.longestHandlerMs)),
          },
          { name: 'Last received', width: 130, cell: ({ health }) => <LastReceived topics={health?.topics ?? []} /> },
        ]}
      />
    </Section>
  );
}

function Sessions({ list }: { readonly list: readonly { readonly endpoint: string; readonly status: string }[] }) {
  return <>{list.map(({ endpoint, status }) => `${endpoint} ${status}`).join(', ')}</>;
}

function LastReceived({ topics }: { readonly topics: readonly { readonly lastReceiveAtMs?: number }[] }) {
  const lastMs = Math.max(0, ...topics.map(({ lastReceiveAtMs = 0 }) => lastReceiveAtMs));
  return lastMs === 0 ? <>never</> : <Time ms={lastMs} isRelative />;
}

/** What has no column of its own. */
function restOf(text: string): string {
  const parts = text.split(', ').filter((part) => !/^(consumerGroup|messageId) /.test(part));
  return parts.join(', ');
}

function Events({ events }: { readonly events: Answer['events'] }) {
  return (
    <Section title="Events" note="the newest first">
      {events.length === 0 ? (
        <div class="panel">
          <Empty title="No events yet">Retries, dead letters, lost leases and lost connections are listed here.</Empty>
        </div>
      ) : (
        <Table
          label="Events"
          rows={events}
          keyOf={(one) => `${one.atMs} ${one.kind} ${one.text} ${events.indexOf(one)}`}
          columns={[
            { name: 'When', width: 124, cell: ({ atMs }) => <Time ms={atMs} /> },
            { name: 'Event', width: 150, cell: ({ kind }) => kind },
            { name: 'Group', width: 140, cell: ({ consumerGroup }) => consumerGroup ?? '' },
            { name: 'What happened', cell: ({ text }) => <span title={text}>{restOf(text)}</span> },
            {
              name: 'Message',
              width: 116,
              isExtra: true,
              cell: ({ messageId }) => messageId && <ShortId id={messageId} />,
            },
          ]}
        />
      )}
    </Section>
  );
}
