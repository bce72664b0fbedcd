// Runs `nestjs-rocketmq asyncapi diff`.

import { readFile } from 'node:fs/promises';
import { UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { CommandIo } from '../command.js';
import { type OutputValues, print, table } from '../output.js';
import { type Change, type ChangeKind, changesBetween } from './compare.js';
import { documentView } from './document-view.js';

const KINDS: readonly ChangeKind[] = ['breaking', 'unknown', 'compatible'];

/** Prints the changes, the breaking ones first. @throws UsageError `ILLEGAL_DOCUMENT`, also for a file that cannot be read */
export async function printChanges(
  older: string,
  newer: string,
  values: OutputValues & { readonly allowUnknown: boolean },
  io: CommandIo,
): Promise<void> {
  const [before, after] = await Promise.all([older, newer].map(async (file) => documentView(file, await textOf(file))));
  const found = before && after ? changesBetween(before, after) : [];
  const changes = KINDS.flatMap((kind) => found.filter((one) => one.kind === kind));
  const [breaking = 0, unknown = 0, compatible = 0] = KINDS.map((kind) => countOf(kind, changes));
  print(io, values, { breaking, unknown, compatible, changes }, () => {
    if (changes.length === 0) return 'no changes\n';
    const rows = changes.map(({ kind, where, what }) => [kind, oneLine(where), oneLine(what)]);
    const summary = `${breaking} breaking, ${unknown} unknown, ${compatible} compatible`;
    return `${table(['CHANGE', 'OPERATION', 'WHAT'], rows)}${summary}\n`;
  });
  if (breaking > 0 || (unknown > 0 && !values.allowUnknown)) io.fail();
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const text = `${file} cannot be read: ${describeError(cause)}; nothing was done`;
    throw new UsageError('ILLEGAL_DOCUMENT', text, undefined, { cause });
  }
}

/** Keys and fields may have any character. */
function oneLine(text: string): string {
  return text.replace(/[\n\r\t]/g, (char) => JSON.stringify(char).slice(1, -1));
}

function countOf(kind: ChangeKind, changes: readonly Change[]): number {
  return changes.filter((one) => one.kind === kind).length;
}
