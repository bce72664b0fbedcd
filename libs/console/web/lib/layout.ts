// A body as a person reads and edits it: JSON is indented, line ends are those of a text field. Nothing but white space between its parts
// differs from what is stored, numbers are never parsed, and what was not edited is sent as it was stored.

/** A part of a text, with the white space before it; the last part is empty. */
interface Part {
  readonly gap: string;
  readonly token: string;
}

/** A part of what is stored. */
interface StoredPart extends Part {
  /** The white space before it that is shown. */
  readonly shownGap: string;
}

export interface Layout {
  /** What a person reads and edits. */
  readonly shown: string;
  /** What is sent for an edited `shown`: parts that were not edited have the white space that is stored. */
  sent(edited: string): string;
}

/** Strings and words are parts, and so is each sign; what is between them has no meaning in JSON. */
const JSON_PARTS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/gsu;
const LINES = /[^\r\n]+/g;
const INDENT = '  ';
/** What is nested deeper is not indented: each of its lines would be mostly white space. */
const DEEPEST = 100;
/** Of the table that aligns what was edited with what is stored. */
const MAX_CELLS = 4_000_000;

/** @param isIndented whether JSON is shown with indents; otherwise it is shown as it is stored */
export function layoutOf(stored: string, isIndented = true): Layout {
  const indented = isIndented && isJson(stored) ? indentedParts(partsOf(stored, JSON_PARTS)) : undefined;
  const parts = indented ?? partsOf(stored, LINES).map((part) => ({ ...part, shownGap: withTextBreaks(part.gap) }));
  const shown = parts.map(({ shownGap, token }) => shownGap + token).join('');
  const sent = (edited: string): string => {
    if (edited === shown) return stored;
    if (indented === undefined) return textLike(parts, partsOf(edited, LINES), breakOf(stored));
    // What is not laid out like this any more was written anew.
    const isLaidOut = isJson(edited) && edited.includes('\n') === shown.includes('\n');
    return isLaidOut ? jsonLike(indented, partsOf(edited, JSON_PARTS)) : edited;
  };
  return { shown, sent };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function partsOf(text: string, pattern: RegExp): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const { 0: token, index } of text.matchAll(pattern)) {
    parts.push({ gap: text.slice(at, index), token });
    at = index + token.length;
  }
  parts.push({ gap: text.slice(at), token: '' });
  return parts;
}

/** @returns undefined when it is nested too deep */
function indentedParts(parts: readonly Part[]): readonly StoredPart[] | undefined {
  let depth = 0;
  let before = '';
  const indented: StoredPart[] = [];
  for (const part of parts) {
    const { token } = part;
    const [isOpened, isClosing] = ['{['.includes(before) && before !== '', token === '}' || token === ']'];
    if (isClosing) depth--;
    indented.push({ ...part, shownGap: gapBetween(before, token, isOpened, isClosing, depth) });
    if (token === '{' || token === '[') depth++;
    if (depth > DEEPEST) return undefined;
    before = token;
  }
  return indented;
}

function gapBetween(before: string, token: string, isOpened: boolean, isClosing: boolean, depth: number): string {
  if (before === '' || token === '' || token === ',' || token === ':' || (isOpened && isClosing)) return '';
  return before === ':' ? ' ' : `\n${INDENT.repeat(depth)}`;
}

/** As a text field has it. */
function withTextBreaks(gap: string): string {
  return gap.replace(/\r\n?/g, '\n');
}

/** The line end of what is stored, where it has one kind only. */
function breakOf(stored: string): string {
  const kinds = new Set(stored.match(/\r\n|\r|\n/g));
  const [only = '\n'] = kinds;
  return kinds.size === 1 ? only : '\n';
}

/** With the stored white space, unless it was edited; what was added has none where it was only indented. */
function jsonLike(stored: readonly StoredPart[], edited: readonly Part[]): string {
  const places = placesOf(edited, stored);
  const indented = indentedParts(edited);
  const gapOf = ({ gap }: Part, index: number): string => {
    const known = stored[places[index] ?? -1];
    const isIndent = gap === indented?.[index]?.shownGap;
    return isIndent || gap === known?.shownGap ? (known?.gap ?? '') : gap;
  };
  return edited.map((part, index) => gapOf(part, index) + part.token).join('');
}

/** With the stored line ends between lines that follow each other as before. @param lineBreak of what was added */
function textLike(stored: readonly StoredPart[], edited: readonly Part[], lineBreak: string): string {
  const places = placesOf(edited, stored);
  const gapOf = ({ gap }: Part, index: number): string => {
    const place = places[index] ?? -1;
    const isKept = place === (index === 0 ? 0 : (places[index - 1] ?? -1) + 1);
    const known = isKept ? stored[place] : undefined;
    return gap === known?.shownGap ? known.gap : gap.replaceAll('\n', lineBreak);
  };
  return edited.map((part, index) => gapOf(part, index) + part.token).join('');
}

/** Where each edited part is in what is stored; undefined for one that was added. What was replaced one for one is where it was. */
function placesOf(editedParts: readonly Part[], storedParts: readonly Part[]): readonly (number | undefined)[] {
  const [edited, stored] = [editedParts, storedParts].map((parts) => parts.map(({ token }) => token)) as [
    string[],
    string[],
  ];
  const places: (number | undefined)[] = edited.map(() => undefined);
  const least = Math.min(stored.length, edited.length);
  let start = 0;
  while (start < least && stored[start] === edited[start]) places[start] = start++;
  let end = 0;
  while (end < least - start && stored.at(-1 - end) === edited.at(-1 - end)) end++;
  for (let back = 1; back <= end; back++) places[edited.length - back] = stored.length - back;
  const [oldEnd, newEnd] = [stored.length - end, edited.length - end];
  const pairs = commonParts(stored.slice(start, oldEnd), edited.slice(start, newEnd));
  let [old, now] = [start, start];
  for (const [oldAt, newAt] of [...pairs, [oldEnd - start, newEnd - start] as const]) {
    const [oldNext, newNext] = [start + oldAt, start + newAt];
    if (oldNext - old === newNext - now) for (let by = 0; now + by < newNext; by++) places[now + by] = old + by;
    if (newNext < newEnd) places[newNext] = oldNext;
    [old, now] = [oldNext + 1, newNext + 1];
  }
  return places;
}

/** The longest common subsequence, as pairs of places. */
function commonParts(left: readonly string[], right: readonly string[]): readonly (readonly [number, number])[] {
  const width = right.length + 1;
  if (left.length * right.length > MAX_CELLS) return [];
  const longest = new Uint32Array((left.length + 1) * width);
  const at = (row: number, column: number): number => longest[row * width + column] ?? 0;
  for (let row = left.length - 1; row >= 0; row--)
    for (let column = right.length - 1; column >= 0; column--)
      longest[row * width + column] =
        left[row] === right[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
  const pairs: (readonly [number, number])[] = [];
  for (let row = 0, column = 0; row < left.length && column < right.length; ) {
    if (left[row] === right[column]) pairs.push([row++, column++]);
    else if (at(row + 1, column) >= at(row, column + 1)) row++;
    else column++;
  }
  return pairs;
}
