// The audit: who did what. It has each change that was carried out or rejected.

/** A change that was carried out or rejected. */
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
  readonly outcome: 'done' | 'partly' | 'failed' | 'rejected';
  /** What was done, or why not. */
  readonly text: string;
  /** Why, in the words of the viewer; undefined when they wrote none. */
  readonly reason?: string;
}

/** What a viewer may change. */
export type ConsoleAction =
  | 'replay'
  | 'rewind'
  | 'pause'
  | 'recall'
  | 'deliver'
  | 'resume'
  | 'listeners'
  | 'schedule'
  | 'send'
  | 'time'
  | 'faults';

export const CONSOLE_ACTIONS: readonly ConsoleAction[] = [
  'replay',
  'rewind',
  'pause',
  'recall',
  'deliver',
  'resume',
  'listeners',
  'schedule',
  'send',
  'time',
  'faults',
];

const MAX_ENTRIES = 1_000;
/** Apart from the others: whoever may only look could make them go with plans that are rejected. */
const MAX_REJECTIONS = 200;
/** A target may have what a request invents. */
const MAX_FIELDS = 20;
const MAX_NAME_LENGTH = 100;
const MAX_VALUE_LENGTH = 500;
/** As many ids as one change may have. */
const MAX_IDS_LENGTH = 8_000;

/** The last changes of this process. */
export class Audit {
  private readonly changes: AuditEntry[] = [];
  private readonly rejections: AuditEntry[] = [];

  /**
   * @param watches called with each entry
   * @param failed called with what one of them throws: a change that was made must not become an error
   */
  constructor(
    private readonly watches: readonly ((entry: AuditEntry) => unknown)[],
    private readonly failed: (error: unknown) => void,
  ) {}

  /** @param cause of a rejection, for the log and the application; every viewer reads the list, which has only that there is one */
  add(given: AuditEntry, cause?: string): void {
    const known = { ...given, target: bounded(given.target) };
    const [entry, whole] =
      cause === undefined
        ? [known, known]
        : [
            { ...known, text: `${known.text}; the log says why` },
            { ...known, text: `${known.text}: ${cause}` },
          ];
    const [entries, most] =
      entry.outcome === 'rejected' ? [this.rejections, MAX_REJECTIONS] : [this.changes, MAX_ENTRIES];
    entries.push(entry);
    if (entries.length > most) entries.shift();
    for (const watch of this.watches) {
      // Also of one that is asynchronous: a rejection that nobody handles ends the process. `failed` may be the log that failed.
      void (async () => watch(whole))()
        .catch(this.failed)
        .catch(() => {});
    }
  }

  /** The newest first. */
  list(): readonly AuditEntry[] {
    return [...this.changes, ...this.rejections].reverse().sort((one, other) => other.atMs - one.atMs);
  }
}

function bounded(target: AuditEntry['target']): AuditEntry['target'] {
  const fields = Object.entries(target).slice(0, MAX_FIELDS);
  return Object.fromEntries(
    fields.map(([name, value]) => [
      copyOf(name, MAX_NAME_LENGTH),
      copyOf(value, name === 'messageIds' ? MAX_IDS_LENGTH : MAX_VALUE_LENGTH),
    ]),
  );
}

/** A string that is cut keeps the whole one in memory, unless it is made of its own bytes. */
function copyOf(text: string, longest: number): string {
  return text.length <= longest ? text : `${Buffer.from(text.slice(0, longest)).toString()}…`;
}
