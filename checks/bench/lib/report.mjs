// The report of a run: tables for the terminal and for a page, charts, and everything as JSON.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { columnOf } from '../columns.mjs';
import { GOALS, judge } from '../goals.mjs';
import { barChart } from './chart.mjs';
import { comparability } from './comparability.mjs';
import { KINDS } from './figures.mjs';
import { table } from './table.mjs';

/** Sections with figures of a kind that make a chart. */
/** @type {{ file: string, title: string, kind: import('../sections.mjs').Figure, sections: string[] }[]} */
const CHARTS = [
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

/**
 * @typedef {import('./figures.mjs').Figures} Figures
 *
 * @typedef {object} Outcome
 * @property {string} date
 * @property {ReturnType<typeof import('./machine.mjs').machine>} machine
 * @property {Record<string, string>} versions of servers and clients
 * @property {string} javaOptions
 * @property {number} rounds
 * @property {readonly import('../sections.mjs').Section[]} sections
 * @property {Figures} figures
 * @property {readonly import('./rounds.mjs').Run[]} runs
 */

/** @param {Outcome} outcome @returns {string} in Markdown, which reads well on a terminal, too */
export function reportText(outcome) {
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

/** @param {Outcome} outcome */
function aboutText({ date, machine, versions, javaOptions, rounds }) {
  const { cpu, cores, memoryGiB, system, node, java } = machine;
  const named = Object.entries(versions).map(([what, version]) => `${what} ${version}`);
  const compared = named.length === 0 ? '' : `${named.join('; ')}. `;
  return [
    `${date}. ${cpu}, ${cores} cores that clients and server share, ${memoryGiB} GiB; ${system}; Node.js ${node}; ${java}.`,
    `${compared}Options of Java clients: ${javaOptions}; of all clients: their defaults.`,
    `Medians of ${rounds} round${rounds === 1 ? '' : 's'}${rounds === 1 ? '' : ', with the least and the most'}; CPU: user and system time of the client's process.`,
  ].join('\n');
}

/** @param {import('../sections.mjs').Section} section @param {Figures} figures @param {number} rounds */
function sectionText({ id, title, task, figures: kinds }, figures, rounds) {
  const rows = figures
    .columnsOf(id)
    .map((column) => [
      columnOf(column).label,
      ...kinds.map((kind) => cell(figures.summary(id, column, kind), KINDS[kind].write, rounds)),
    ]);
  return `## ${id}: ${title}\n\n${extentOf(task)}\n\n${table(['', ...kinds.map((kind) => KINDS[kind].label)], rows)}`;
}

/** How much was measured. @param {import('../sections.mjs').SectionTask} task */
function extentOf({ count = 0, warmUp = 0, seconds, warmUpSeconds, starts, pending }) {
  const number = (/** @type {number} */ value) => value.toLocaleString('en');
  if (starts !== undefined) return `Of ${starts} start${starts === 1 ? '' : 's'} a round.`;
  if (count === 0 && pending !== undefined) return `${number(pending)} messages.`;
  if (seconds !== undefined) return `${seconds} seconds${warmUpSeconds ? ` after a warm-up of ${warmUpSeconds}` : ''}.`;
  return `${number(count)} messages after a warm-up of ${number(warmUp)}.`;
}

/** @param {import('./figures.mjs').Summary | undefined} summary @param {(value: number) => string} write @param {number} rounds */
function cell(summary, write, rounds) {
  if (summary === undefined) return 'failed';
  const { median, least, most } = summary;
  return rounds === 1 ? write(median) : `${write(median)} (${write(least)}-${write(most)})`;
}

/** @param {Figures} figures */
function goalsText(figures) {
  const judged = GOALS.map((goal) => judge(goal, figures)).filter(({ verdict }) => verdict !== 'not measured');
  if (judged.length === 0) return '';
  const met = judged.filter(({ verdict }) => verdict === 'met').length;
  const rows = judged.map(({ goal, figure, verdict }) => [goal, figure, verdict]);
  const left = GOALS.length - judged.length;
  const ending = left === 0 ? '' : `; ${left} more not measured in this run`;
  return `## Goals\n\n${table(['goal', 'figure', ''], rows)}\n\n${met} of ${judged.length} met${ending}.`;
}

/** @param {Figures} figures */
function comparabilityText(figures) {
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

/** @param {Figures} figures */
function failuresText(figures) {
  const failures = figures.failures();
  if (failures.length === 0) return '';
  const lines = failures.map(
    ({ section, column, round, error }) => `- ${section}, ${column}, round ${round + 1}: ${error}`,
  );
  return `## Failures\n\n${lines.join('\n')}`;
}

/** Writes the report with its charts and figures into a folder. @param {string} folder @param {Outcome} outcome */
export function writeReport(folder, outcome) {
  const { sections: _, figures, runs, ...about } = outcome;
  mkdirSync(folder, { recursive: true });
  const goals = GOALS.map((goal) => judge(goal, figures));
  const { isComparable } = comparability(figures);
  const json = { ...about, isComparable, goals, runs };
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(json, undefined, 2)}\n`);
  const charts = CHARTS.flatMap(({ file, ...chart }) => {
    const svg = chartOf(chart, outcome);
    if (svg === undefined) return [];
    writeFileSync(join(folder, `${file}.svg`), svg);
    return [`![${chart.title}](${file}.svg)`];
  });
  const head = `# Benchmarks\n\nWritten by \`npm run check bench\`; the same as JSON: [results.json](results.json).`;
  writeFileSync(join(folder, 'README.md'), `${[head, ...charts, reportText(outcome)].join('\n\n')}\n`);
}

/** @param {Omit<(typeof CHARTS)[number], 'file'>} chart @param {Outcome} outcome */
function chartOf({ title, kind, sections }, { figures, machine, versions, date, sections: measured }) {
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

/** @param {string} section @param {import('../sections.mjs').Figure} kind @param {Figures} figures */
function barsOf(section, kind, figures) {
  return figures.columnsOf(section).flatMap((column) => {
    const summary = figures.summary(section, column, kind);
    if (summary === undefined) return [];
    const { median: value, least, most } = summary;
    const text = KINDS[kind].write(value);
    return [{ label: columnOf(column).label, value, least, most, text, kind: kindOf(column) }];
  });
}

/** @param {string} column @returns {'ours' | 'floor' | 'other'} */
function kindOf(column) {
  if (/^(ours|nest)/.test(column)) return 'ours';
  return /^(raw|lean)/.test(column) ? 'floor' : 'other';
}
