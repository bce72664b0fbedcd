// How results are printed: aligned tables for people, one JSON document for programs.

import type { BrokerFailure } from '../admin/each-broker.js';
import { visible } from '../support/logger.js';
import { type CommandIo, plural } from './command.js';

/** What every command that prints a result takes. */
export interface OutputValues {
  readonly json?: boolean;
}

type Cell = string | number | bigint | undefined;

/** Prints a result: as JSON when asked for, else as the text. */
export function print(io: CommandIo, { json }: OutputValues, result: unknown, text: () => string): void {
  io.out(json === true ? jsonText(result) : text());
}

/** One document. Whole numbers that JavaScript cannot hold are texts, bytes are base64, errors their message, dates ISO in UTC. */
export function jsonText(value: unknown): string {
  return `${escaped(JSON.stringify(value, replaced, 2))}\n`;
}

/** The same in one line, of plain data. */
export function jsonLine(value: unknown): string {
  return `${escaped(JSON.stringify(value))}\n`;
}

/** JSON leaves some control characters as they are. */
function escaped(json: string): string {
  return json.replace(/[\u007f-\u009f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

function replaced(this: unknown, key: string, value: unknown): unknown {
  // JSON.stringify has asked a buffer for its own form by now.
  const given = (this as Record<string, unknown>)[key];
  if (Buffer.isBuffer(given)) return given.toString('base64');
  if (value instanceof Error) return value.message;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value;
}

/** Columns under their headings; numbers to the right. Empty cells are a dash. */
export function table(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map((cell) => (cell === undefined || cell === '' ? '-' : visible(String(cell)))));
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
  return timestampMs === undefined ? undefined : new Date(timestampMs).toISOString();
}

/** A body for people: as text when it is one, else its size. */
export function bodyText(body: Buffer): string {
  const text = body.toString('utf8');
  const isText = !text.includes('\uFFFD') && ![...text].some((char) => char < ' ' && !'\n\r\t'.includes(char));
  return isText
    ? visible(text.replaceAll('\r\n', '\n'))
    : `(${plural(body.length, 'byte')}, no text; --json has them as base64)`;
}

/** Brokers that did not answer make a result that lacks their part: that is said, and the command has failed. */
export function tellFailures(io: CommandIo, failures: readonly BrokerFailure[]): void {
  for (const { name, address, error } of failures) {
    io.warn(`broker ${name} (${address}) did not answer, its part is missing: ${error.message}`);
    io.fail();
  }
}
