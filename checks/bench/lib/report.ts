// The report of a run: tables for the terminal and for a page, charts, and everything as JSON.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { columnOf } from '../columns.js';
import { evaluateGoal, GOALS } from '../goals.js';
import type { Figure, Section, SectionTask } from '../section.js';
import { barChart } from './chart.js';
import { comparability } from './comparability.js';
import { type Figures, KINDS, type Run, type Summary } from './figures.js';
import type { machine } from './machine.js';
import { table } from './table.js';

/** Sections with figures of a kind that make a chart. */
const CHARTS: { file: string; title: string; kind: Figure; sections: string[] }[] = [
  {
    file: 'cpu',
    title: 'Client CPU per message, µs: less is better',
    kind: 'cpuMicros',
    sections: ['send-64', 'send-512', 'drain'],
  },
  {
    file: 'throughput',
    title: 'Messages per second: more is better',
    kind: 'perSecond',
    sections: ['send-64', 'send-512', 'drain'],
  },
  {
    file: 'latency',
    title: 'Latency, p99 in ms: less is better',
    kind: 'p99Ms',
    sections: ['send-1', 'latency', 'latency-1000'],
  },
];
const NOT_COMPARABLE =
  'NOT COMPARABLE: the machine measures the other clients otherwise than the one that the goals were set on.';

interface Outcome {
  date: string;
  machine: ReturnType<typeof machine>;
  /** Of servers and clients. */
  versions: Record<string, string>;
  javaOptions: string;
  rounds: number;
  sections: readonly Section[];
  figures: Figures;
  runs: readonly Run[];
}

/** @returns in Markdown, which reads well on a terminal, too */
export function reportText(outcome: Outcome): string {
  const { sections, figures, rounds } = outcome;
  return [
    aboutText(outcome),
    ...sections.map((section) => sectionText(section, figures, rounds)),
    goalsText(figures),
    comparabilityText(figures),
    failuresText(figures),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function aboutText({ date, machine, versions, javaOptions, rounds }: Outcome): string {
  const { cpu, cores, memoryGiB, system, node, java } = machine;
  const named = Object.entries(versions).map(([what, version]) => `${what} ${version}`);
  const compared = named.length === 0 ? '' : `${named.join('; ')}. `;
  return [
    `${date}. ${cpu}, ${cores} cores that clients and server share, ${memoryGiB} GiB; ${system}; Node.js ${node}; ${java}.`,
    `${compared}Options of Java clients: ${javaOptions}; of all clients: their defaults.`,
    `Medians of ${rounds} round${rounds === 1 ? '' : 's'}${rounds === 1 ? '' : ', with the least and the most'}; CPU: user and system time of the client's process.`,
  ].join('\n');
}

function sectionText({ id, title, task, figures: kinds }: Section, figures: Figures, rounds: number): string {
  const rows = figures
    .columnsOf(id)
    .map((column) => [
      columnOf(column).label,
      ...kinds.map((kind) => cell(figures.summary(id, column, kind), KINDS[kind].write, rounds)),
    ]);
  return `## ${id}: ${title}\n\n${extentOf(task)}\n\n${table(['', ...kinds.map((kind) => KINDS[kind].label)], rows)}`;
}

/** How much was measured. */
function extentOf({ count = 0, warmUp = 0, seconds, warmUpSeconds, starts, pending }: SectionTask): string {
  const number = (value: number) => value.toLocaleString('en');
  if (starts !== undefined) return `Of ${starts} start${starts === 1 ? '' : 's'} a round.`;
  if (count === 0 && pending !== undefined) return `${number(pending)} messages.`;
  if (seconds !== undefined) return `${seconds} seconds${warmUpSeconds ? ` after a warm-up of ${warmUpSeconds}` : ''}.`;
  return `${number(count)} messages after a warm-up of ${number(warmUp)}.`;
}

function cell(summary: Summary | undefined, write: (value: number) => string, rounds: number): string {
  if (summary === undefined) return 'failed';
  const { median, least, most } = summary;
  return rounds === 1 ? write(median) : `${write(median)} (${write(least)}-${write(most)})`;
}

function goalsText(figures: Figures): string {
  const measured = GOALS.map((goal) => evaluateGoal(goal, figures)).filter(({ verdict }) => verdict !== 'not measured');
  if (measured.length === 0) return '';
  const met = measured.filter(({ verdict }) => verdict === 'met').length;
  const rows = measured.map(({ goal, figure, verdict }) => [goal, figure, verdict]);
  const left = GOALS.length - measured.length;
  const ending = left === 0 ? '' : `; ${left} more not measured in this run`;
  return `## Goals\n\n${table(['goal', 'figure', ''], rows)}\n\n${met} of ${measured.length} met${ending}.`;
}

function comparabilityText(figures: Figures): string {
  const { rows, isComparable } = comparability(figures);
  if (rows.length === 0) return '';
  const cells = rows.map(({ section, column, then, now, isWithin, decides }) => [
    `${section}, ${columnOf(column).label}`,
    then,
    now.toFixed(1),
    `${isWithin ? 'within' : 'outside'}${decides ? '' : ' (for information)'}`,
  ]);
  const head = ['CPU µs/message', 'when the goals were set', 'now', '30 %'];
  const verdict = isComparable ? 'Comparable.' : NOT_COMPARABLE;
  const ending = isComparable === undefined ? 'No other client was measured.' : verdict;
  return `## Comparable?\n\n${table(head, cells)}\n\n${ending}`;
}

function failuresText(figures: Figures): string {
  const failures = figures.failures();
  if (failures.length === 0) return '';
  const lines = failures.map(
    ({ section, column, round, error }) => `- ${section}, ${column}, round ${round + 1}: ${error}`,
  );
  return `## Failures\n\n${lines.join('\n')}`;
}

/** Writes the report with its charts and figures into a folder. */
export function writeReport(folder: string, outcome: Outcome): void {
  const { sections: _, figures, runs, ...about } = outcome;
  mkdirSync(folder, { recursive: true });
  const goals = GOALS.map((goal) => evaluateGoal(goal, figures));
  const { isComparable } = comparability(figures);
  const all = { ...about, isComparable, goals, runs };
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(all, undefined, 2)}\n`);
  const charts = CHARTS.flatMap(({ file, ...chart }) => {
    const svg = chartOf(chart, outcome);
    if (svg === undefined) return [];
    writeFileSync(join(folder, `${file}.svg`), svg);
    return [`![${chart.title}](${file}.svg)`];
  });
  const what = '[what each row is](../../checks/bench/README.md#what-the-columns-are)';
  const json = '[results.json](results.json)';
  const head = `# Benchmarks\n\nWritten by \`npm run check bench\`; the same as JSON: ${json}; ${what}.`;
  writeFileSync(join(folder, 'README.md'), `${[head, ...charts, reportText(outcome)].join('\n\n')}\n`);
}

function chartOf(
  { title, kind, sections }: Omit<(typeof CHARTS)[number], 'file'>,
  { figures, machine, versions, date, sections: measured }: Outcome,
) {
  const groups = measured
    .filter(({ id }) => sections.includes(id))
    .map(({ id, title: label }) => ({ label, bars: barsOf(id, kind, figures) }))
    .filter(({ bars }) => bars.length > 0);
  if (groups.length === 0) return undefined;
  return barChart({
    title,
    notes: [
      `${date}; ${machine.cpu}, ${machine.cores} cores; Node.js ${machine.node}; bars: median, lines: range of the rounds`,
      Object.entries(versions)
        .map(([what, version]) => (what === 'server' ? version : `${what} ${version}`))
        .join('; '),
    ],
    groups,
  });
}

function barsOf(section: string, kind: Figure, figures: Figures) {
  return figures.columnsOf(section).flatMap((column) => {
    const summary = figures.summary(section, column, kind);
    if (summary === undefined) return [];
    const { median: value, least, most } = summary;
    const text = KINDS[kind].write(value);
    return [{ label: columnOf(column).label, value, least, most, text, kind: kindOf(column) }];
  });
}

function kindOf(column: string): 'ours' | 'floor' | 'other' {
  if (/^(ours|nest)/.test(column)) return 'ours';
  return /^(raw|lean|socket)/.test(column) ? 'floor' : 'other';
}
