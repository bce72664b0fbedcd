// Which rows of a claim may be sent: without locks, some of the rows that were chosen can be claimed or sent by another relay meanwhile.

/** A row and its message group. */
export interface RowPlace {
  readonly position: number;
  readonly messageGroup: string | null;
}

/** The rows to keep, and the positions of those that follow a missed row of their group: they must not be sent before it. */
export function keptRows<T extends RowPlace>(claimed: readonly T[], missed: readonly RowPlace[]): [T[], number[]] {
  const ends = new Map<string, number>();
  for (const { messageGroup, position } of missed) {
    if (messageGroup === null) continue;
    ends.set(messageGroup, Math.min(position, ends.get(messageGroup) ?? Number.POSITIVE_INFINITY));
  }
  const isKept = ({ messageGroup, position }: T): boolean =>
    messageGroup === null || position < (ends.get(messageGroup) ?? Number.POSITIVE_INFINITY);
  return [claimed.filter(isKept), claimed.filter((row) => !isKept(row)).map(({ position }) => position)];
}

/** The first rows, in order, whose bodies have at most so many bytes together; always one. */
export function firstBytes<T extends { readonly bytes: number }>(rows: readonly T[], most: number): T[] {
  let total = 0;
  return rows.filter(({ bytes }, index) => {
    total += bytes;
    return index === 0 || total <= most;
  });
}
