// Prints results: as aligned tables, or as one JSON document.

import type { Command } from 'commander';
import type { BrokerFailure } from '../admin/each-broker.js';
import { visible } from '../support/logger.js';
import { type CommandIo, countOf, plural } from './command.js';

/** The option values of every command that prints a result. */
export interface OutputValues {
  readonly json?: boolean;
}

/** Of a table. */
export type Cell = string | number | undefined;

/** Prints a result as JSON with `--json`, otherwise as text. */
export function print(io: CommandIo, { json }: OutputValues, result: unknown, text: () => string): void {
  io.out(json === true ? jsonText(result) : text());
}

/** The option values of every command that lists page by page. */
export interface PageValues extends OutputValues {
  readonly limit: number;
  readonly after?: string;
}

/** Gives a command the options of {@link PageValues}. */
export function pageOptions(command: Command, noun: string, most = 100): Command {
  return command
    .option('--limit <count>', `maximum ${noun}s per page, up to ${most}`, countOf, 32)
    .option('--after <position>', 'continue after the previous page, whose output ends with this position');
}

/** Prints a page and how to continue, and warns of the brokers whose part it lacks. */
export function printPage(
  io: CommandIo,
  values: OutputValues,
  page: { readonly next?: string | undefined; readonly failures: readonly BrokerFailure[] },
  text: () => string,
): void {
  print(io, values, page, () => `${text()}${page.next === undefined ? '' : `; continue with --after ${page.next}`}\n`);
  reportFailures(io, page.failures);
}

/** One document. Bytes are base64, errors are their message, dates are ISO 8601 in UTC. */
function jsonText(value: unknown): string {
  return `${escaped(JSON.stringify(value, replaced, 2))}\n`;
}

/** The same in one line. */
export function jsonLine(value: unknown): string {
  return `${escaped(JSON.stringify(value, replaced))}\n`;
}

/** JSON.stringify does not escape these control characters. */
function escaped(json: string): string {
  return json.replace(/[\u007f-\u009f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

function replaced(this: unknown, key: string, value: unknown): unknown {
  // JSON.stringify has already called toJSON() of a buffer; the buffer itself is in its holder.
  const given = (this as Record<string, unknown>)[key];
  if (Buffer.isBuffer(given)) return given.toString('base64');
  return value instanceof Error ? value.message : value;
}

const BREAKS: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\u2028': '\\u2028', '\u2029': '\\u2029' };

/** Like {@link visible}, for a value in a row: it must not begin a line that looks like another row, or move the next column. */
export function inRow(value: string): string {
  return visible(value).replace(/[\t\n\u2028\u2029]/g, (char) => BREAKS[char] as string);
}

/** Columns under their headings, numbers aligned to the right. An empty cell is a dash. */
export function table(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map((cell) => (cell === undefined || cell === '' ? '-' : inRow(String(cell)))));
  const isNumeric = headings.map(
    (_, column) => rows.length > 0 && rows.every((row) => row[column] === undefined || typeof row[column] !== 'string'),
  );
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...texts.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return isNumeric[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return `${[headings, ...texts].map(line).join('\n')}\n`;
}

/** ISO 8601 in UTC; undefined stays undefined. */
export function timeText(timestampMs: number | undefined): string | undefined {
  if (timestampMs === undefined) return undefined;
  const date = new Date(timestampMs);
  // Producers write what they like.
  return Number.isNaN(date.getTime()) ? String(timestampMs) : date.toISOString();
}

/** A body as text if it is valid UTF-8 without control characters, otherwise its size. */
export function bodyText(body: Buffer): string {
  return isText(body)
    ? visible(body.toString('utf8').replaceAll('\r\n', '\n'))
    : `(${plural(body.length, 'byte')}, not text; --json prints them as base64)`;
}

/** Whether it is valid UTF-8 without control characters. */
export function isText(body: Buffer): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters on purpose
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffd]/.test(body.toString('utf8'));
}

/** Warns of brokers that did not answer: the result lacks their part, so the command fails. */
export function reportFailures(io: CommandIo, failures: readonly BrokerFailure[]): void {
  warnOfFailures(io, failures);
  if (failures.length > 0) io.fail();
}

/** The same for a command that goes on. */
export function warnOfFailures(io: CommandIo, failures: readonly BrokerFailure[]): void {
  for (const { name, address, error } of failures)
    io.warn(`broker ${name} (${address}) did not answer, the result lacks its part: ${error.message}`);
}
