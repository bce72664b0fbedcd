// A bar chart as an SVG: groups of horizontal bars, each with its figure and the range of its rounds.

const WIDTH = 910;
const LABEL_WIDTH = 300;
const FIGURE_WIDTH = 90;
const BAR = 18;
const GAP = 5;
const GROUP_HEAD = 30;
const TOP = 72;
const COLOURS = { ours: '#d6336c', floor: '#adb5bd', other: '#4c6ef5' };

interface Bar {
  label: string;
  value: number;
  least: number;
  most: number;
  text: string;
  kind: 'ours' | 'floor' | 'other';
}

export function barChart({
  title,
  notes,
  groups,
}: {
  title: string;
  notes: readonly string[];
  groups: readonly { label: string; bars: readonly Bar[] }[];
}): string {
  let y = TOP;
  const parts = [];
  for (const { label, bars } of groups) {
    // Each group has a scale of its own: what is compared stands side by side.
    const longest = Math.max(...bars.map(({ most }) => most));
    parts.push(text(16, y + 20, label, { weight: 600 }));
    y += GROUP_HEAD;
    for (const bar of bars) {
      parts.push(...barOf(bar, y, longest));
      y += BAR + GAP;
    }
    y += GAP;
  }
  const height = y + 12;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="${escaped(title)}">
<rect width="100%" height="100%" fill="#ffffff"/>
${text(16, 26, title, { weight: 700, size: 16 })}
${notes.map((note, line) => text(16, 45 + 16 * line, note, { colour: '#868e96', size: 12 })).join('\n')}
${parts.join('\n')}
</svg>
`;
}

function barOf({ label, value, least, most, text: figure, kind }: Bar, y: number, longest: number): string[] {
  const scale = (WIDTH - LABEL_WIDTH - FIGURE_WIDTH) / longest;
  const middle = y + BAR / 2;
  const x = (of: number) => (LABEL_WIDTH + of * scale).toFixed(1);
  return [
    text(LABEL_WIDTH - 8, middle + 4.5, label, { anchor: 'end' }),
    `<rect x="${LABEL_WIDTH}" y="${y}" width="${(value * scale).toFixed(1)}" height="${BAR}" rx="2" fill="${COLOURS[kind]}"/>`,
    `<path d="M${x(least)} ${middle}H${x(most)}" stroke="#212529" stroke-width="1.5"/>`,
    text(Number(x(most)) + 8, middle + 4.5, figure, {}),
  ];
}

function text(
  x: number,
  y: number,
  content: string,
  { weight = 400, size = 13, colour = '#212529', anchor = 'start' },
): string {
  return `<text x="${x}" y="${y}" font-weight="${weight}" font-size="${size}" fill="${colour}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
