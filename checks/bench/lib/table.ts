// Tables that read well both on a terminal and as Markdown.

/** @returns the first column to the left, the others to the right */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, index) => Math.max(3, ...[cell, ...rows.map((row) => row[index] ?? '')].map(width)));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((size, index) => padded(cells[index] ?? '', size, index > 0)).join(' | ')} |`;
  const rule = widths.map((size, index) => (index === 0 ? '-'.repeat(size) : `${'-'.repeat(size - 1)}:`));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

const width = (text: string) => [...text].length;

function padded(text: string, size: number, toTheRight: boolean): string {
  const space = ' '.repeat(size - width(text));
  return toTheRight ? space + text : text + space;
}
