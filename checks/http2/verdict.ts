// Judges what was sent and handled. Pure: records in, violations out.

/** A message as it was sent. */
export interface Sent {
  readonly id: string;
  readonly digest: string;
  /** Why its send failed, if it has. */
  readonly failure?: SendFailure;
}

interface SendFailure {
  readonly text: string;
  readonly outcome: string;
  /** Its time was short, and it passed, or nothing was sent: a connection that broke is another matter. */
  readonly isHaste: boolean;
}

/** One end of a handler. */
export interface Handled {
  readonly id: string;
  readonly digest: string;
}

export interface Records {
  readonly sent: readonly Sent[];
  /** In the order of their ends. */
  readonly handled: readonly Handled[];
  /** Messages that the consumer reported as redelivered, perhaps: their lease or their acknowledgment was lost. */
  readonly doubted: ReadonlySet<string>;
}

/** @returns in words; none when each message was sent and handled once, unchanged, and in the order of its message group */
export function violationsOf({ sent, handled, doubted }: Records): string[] {
  const seen = new Set(handled.map(({ id }) => id));
  const violations = sent.flatMap((one) => problemOf(one, seen.has(one.id)) ?? []);
  const digests = new Map(sent.map(({ id, digest }) => [id, digest]));
  const before = new Set<string>();
  const latest = new Map<string, number>();
  for (const { id, digest } of handled) {
    if (digests.get(id) !== digest) violations.push(`${id} was handled with another body than it was sent with`);
    const isFirst = !before.has(id);
    before.add(id);
    if (!isFirst) {
      if (!doubted.has(id)) violations.push(`${id} was handled twice, and no lease had ended`);
      continue;
    }
    const [group, number] = partsOf(id);
    const last = latest.get(group) ?? 0;
    if (group === '' || number > last) latest.set(group, number);
    else violations.push(`${id} was handled after number ${last} of its message group`);
  }
  return violations;
}

function problemOf({ id, failure }: Sent, isHandled: boolean): string | undefined {
  if (failure === undefined) return isHandled ? undefined : `${id} was sent and never handled`;
  if (!failure.isHaste) return `${id} could not be sent: ${failure.text}`;
  if (failure.outcome === 'not-sent' && isHandled) return `${id} was handled, and was reported as not sent`;
  return undefined;
}

/** The name of a message: of a message group and its number in it, or the number alone. */
export function idOf(number: number, group = ''): string {
  return `${group}.${number}`;
}

function partsOf(id: string): readonly [group: string, number: number] {
  const at = id.lastIndexOf('.');
  return [id.slice(0, at), Number(id.slice(at + 1))];
}
