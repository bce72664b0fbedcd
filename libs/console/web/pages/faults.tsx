// Faults that the embedded broker injects, to see how the application bears them.

import { useResource } from '../lib/resource.js';
import { may } from '../lib/session.js';
import { type FormProps, openChange } from '../ui/change.js';
import { Empty, Head, Loaded } from '../ui/parts.js';
import { Table } from '../ui/table.js';

const REFRESH_MS = 5_000;
const RPCS = [
  'sendMessage',
  'receiveMessage',
  'ackMessage',
  'changeInvisibleDuration',
  'endTransaction',
  'recallMessage',
  'queryRoute',
  'heartbeat',
];
const KINDS = [
  ['cutStreams', 'The connection breaks'],
  ['dropResponse', 'The call takes effect, its answer is lost'],
  ['delay', 'The answer is late'],
  ['answer', 'The broker rejects'],
] as const;
const REJECTION = 'TOO_MANY_REQUESTS';
const DELAY_MS = 3_000;

interface Rule {
  readonly id: number;
  readonly kind: string;
  readonly left?: number;
  readonly rule?: Readonly<Record<string, unknown>>;
}

interface Answer {
  readonly faults: readonly Rule[];
}

export function FaultsPage() {
  const read = useResource<Answer>('faults', REFRESH_MS);
  return (
    <>
      <Head title="Faults">
        {may('faults') && (
          <>
            <button type="button" onClick={openClear}>
              Remove all
            </button>
            <button type="button" class="primary" onClick={openAdd}>
              Add a fault
            </button>
          </>
        )}
      </Head>
      <Loaded of={read}>
        {({ faults: all }) => {
          if (all.length === 0) {
            return (
              <div class="panel">
                <Empty title="No fault is active">
                  A fault makes the embedded broker fail on purpose: a rejected send, a lost answer, a broken
                  connection.
                </Empty>
              </div>
            );
          }
          return (
            <Table
              label="Active faults"
              rows={all}
              keyOf={({ id }) => String(id)}
              columns={[
                { name: 'Calls', width: 220, cell: ({ rule, kind }) => String(rule?.rpc ?? kind) },
                {
                  name: 'What happens',
                  cell: ({ rule }) => <span class="mono">{JSON.stringify(rule?.action ?? rule)}</span>,
                },
                { name: 'Left', width: 130, isNumber: true, cell: ({ left }) => left ?? 'until removed' },
              ]}
            />
          );
        }}
      </Loaded>
    </>
  );
}

interface FaultValues {
  readonly rpc: string;
  readonly kind: (typeof KINDS)[number][0];
  readonly times: number;
}

function actionOf(kind: FaultValues['kind']): Readonly<Record<string, unknown>> {
  if (kind === 'delay') return { kind, delayMs: DELAY_MS };
  if (kind === 'answer') return { kind, code: REJECTION };
  return { kind };
}

function openAdd(): void {
  openChange<FaultValues, unknown>({
    title: 'Add a fault',
    form: { rpc: 'sendMessage', kind: 'dropResponse', times: 1 },
    Form: FaultForm,
    body: ({ rpc, kind, times }) =>
      times >= 1 ? { action: 'faults', rule: { rpc, action: actionOf(kind), times } } : undefined,
    preview: (_preview, { rpc, kind, times }) => (
      <p>
        The next {times === 1 ? 'call' : `${times} calls`} of <strong>{rpc}</strong>, from any client:{' '}
        {KINDS.find(([name]) => name === kind)?.[1].toLowerCase()}.
      </p>
    ),
    confirm: () => 'Add',
    isDangerous: true,
  });
}

function FaultForm({ form, set }: FormProps<FaultValues>) {
  return (
    <>
      <label class="field">
        <span>Calls</span>
        <select value={form.rpc} onChange={({ currentTarget: { value } }) => set({ rpc: value })}>
          {RPCS.map((rpc) => (
            <option key={rpc}>{rpc}</option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>What happens</span>
        <select
          value={form.kind}
          onChange={({ currentTarget: { value } }) => set({ kind: value as FaultValues['kind'] })}
        >
          {KINDS.map(([kind, text]) => (
            <option key={kind} value={kind}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>How often</span>
        <input
          type="number"
          min={1}
          max={1_000}
          value={form.times}
          onInput={({ currentTarget }) => set({ times: Number(currentTarget.value) })}
        />
      </label>
    </>
  );
}

function openClear(): void {
  openChange({
    title: 'Remove all faults',
    form: {},
    body: () => ({ action: 'faults', clear: true }),
    preview: () => <p>The broker serves every call again.</p>,
    confirm: () => 'Remove all',
  });
}
