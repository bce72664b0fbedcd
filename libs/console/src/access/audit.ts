// Who did what: each change that was carried out or refused.

/** A change that was carried out or refused. */
export interface AuditEntry {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** As the application names the viewer; undefined when it does not. */
  readonly viewer: string | undefined;
  /** The address of the peer, which may be a proxy; undefined when its connection was gone. */
  readonly remoteAddress: string | undefined;
  readonly action: ConsoleAction;
  /** What it was about: a topic, a group, a message. */
  readonly target: Readonly<Record<string, string>>;
  /** The id of the plan. */
  readonly plan: string;
  /** `partly`: some of it failed, as `text` says. */
  readonly outcome: 'done' | 'partly' | 'failed' | 'refused';
  /** What was done, or why not. */
  readonly text: string;
}

/** What a viewer may change. */
export type ConsoleAction =
  | 'replay'
  | 'rewind'
  | 'recall'
  | 'deliver'
  | 'resume'
  | 'listeners'
  | 'send'
  | 'time'
  | 'faults';

export const CONSOLE_ACTIONS: readonly ConsoleAction[] = [
  'replay',
  'rewind',
  'recall',
  'deliver',
  'resume',
  'listeners',
  'send',
  'time',
  'faults',
];

const MOST_ENTRIES = 1_000;

/** The last changes of this process. */
export class Audit {
  private readonly entries: AuditEntry[] = [];

  /** @param watch called with each entry; what it throws is dropped */
  constructor(private readonly watch: (entry: AuditEntry) => void) {}

  add(entry: AuditEntry): void {
    this.entries.push(entry);
    if (this.entries.length > MOST_ENTRIES) this.entries.shift();
    try {
      this.watch(entry);
    } catch {
      // A watcher that fails must not turn a change that was made into an error.
    }
  }

  /** The newest first. */
  list(): readonly AuditEntry[] {
    return [...this.entries].reverse();
  }
}
