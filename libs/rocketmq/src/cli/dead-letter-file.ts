// The file of `dlq export`: a line of JSON for each dead letter, and a last line that says how far it went.

import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { type ExportedDeadLetter, exportedProblem } from '../admin/dead-letters/exported-dead-letters.js';
import type { BrokerFailure } from '../admin/each-broker.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { describeError } from '../support/logger.js';
import { type CommandIo, plural, wrongCall } from './command.js';
import { type Choice, placeOf, type Scope, startsOf } from './dead-letter-choice.js';
import { latestFailures, reasonText } from './failure-records.js';
import { jsonLine } from './output.js';

/** Bodies are of no use to other users of this machine. */
const PRIVATE_FILE = 0o600;
const MAX_FILE_BYTES = 1024 ** 3;
/** Longer than the largest message that servers return, in base64. */
const MAX_LINE_BYTES = 32 * 1024 ** 2;
const LINE_END = 0x0a;
const PAGE = 32;
/** What is sent with one call. */
const MAX_LOT = 32;
const MAX_LOT_BYTES = 16 * 1024 ** 2;

/** The last line. */
interface End {
  readonly exported: number;
  /** Where to continue; null when there is nothing more. */
  readonly next: string | null;
  /** Brokers that did not answer: what they have is missing. */
  readonly unanswered?: readonly string[];
}

interface ExportRequest {
  readonly admin: RocketMQAdmin;
  readonly scope: Scope;
  readonly choice: Choice;
  /** A position of the group; of all groups `GROUP` or `GROUP/POSITION`. */
  readonly after: string | undefined;
  readonly operationsTopic: string | undefined;
  /** For tests. */
  readonly maxBytes?: number;
}

interface Exported {
  readonly count: number;
  /** Where to continue when the file is full. */
  readonly next: string | undefined;
  readonly failures: readonly BrokerFailure[];
}

/** @throws when the file exists; when a server fails, after it has written where to continue */
export async function exportTo(file: string, request: ExportRequest, io: Pick<CommandIo, 'warn'>): Promise<Exported> {
  const { scope } = request;
  const starts = await startsOf(request.admin, scope, request.after);
  const handle = await open(file, 'wx', PRIVATE_FILE).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') throw wrongCall(`${file} exists; nothing was written; name a new file`);
    throw error;
  });
  const writer = new FileWriter(handle, request.maxBytes ?? MAX_FILE_BYTES);
  const failures: BrokerFailure[] = 'groups' in scope ? [...scope.failures] : [];
  const ended = async (next: string | undefined): Promise<Exported> => {
    await writer.end(next ?? null, failures);
    return { count: writer.count, next, failures };
  };
  let here: string | undefined;
  try {
    for (const { group, after: start } of starts) {
      let after = start;
      do {
        here = placeOf(scope, group, after);
        const page = await pageOf(request, group, after, io);
        failures.push(...page.failures.filter(({ name }) => failures.every((one) => one.name !== name)));
        for (const one of page.exported)
          if (!(await writer.add(one))) return await ended(placeOf(scope, group, one.position));
        after = page.next;
      } while (after !== undefined);
    }
    return await ended(undefined);
  } catch (error) {
    if (writer.count === 0) {
      await rm(file);
      throw error;
    }
    // A page that was written in part is in the next file as a whole: what is in two files is sent once.
    if (here !== undefined) await writer.end(here, failures).catch(() => {});
    const count = plural(writer.count, 'dead letter');
    const rest =
      here === undefined ? 'export again into another file' : `write the rest into another file with --after ${here}`;
    throw new Error(`${count} in ${file}, then failed: ${describeError(error)}; ${rest}`, { cause: error });
  } finally {
    await handle.close();
  }
}

/** Those of a page that are chosen, with their reasons where they are known. */
async function pageOf(
  { admin, choice, operationsTopic }: ExportRequest,
  group: string,
  after: string | undefined,
  io: Pick<CommandIo, 'warn'>,
) {
  const { isMeant, byError } = choice;
  const page = await admin.exportDeadLetters(group, { limit: PAGE, after, select: isMeant });
  if (operationsTopic === undefined) return page;
  const ids = page.exported.map(({ messageId }) => messageId);
  const known = await latestFailures(admin, operationsTopic, group, ids).catch((error: unknown) => {
    if (byError !== undefined) throw error;
    io.warn(`why these dead letters failed is not known: ${describeError(error)}`);
    return undefined;
  });
  const exported = page.exported.flatMap((one): readonly ExportedDeadLetter[] => {
    const failure = known?.get(one.messageId);
    if (byError !== undefined && !byError.matches(failure)) return [];
    return [failure === undefined ? one : { ...one, reason: reasonText(failure) }];
  });
  return { ...page, exported };
}

class FileWriter {
  count = 0;
  private bytes = 0;

  constructor(
    private readonly handle: FileHandle,
    private readonly maxBytes: number,
  ) {}

  /** Writes a whole line, or nothing when the file is full: then false. */
  async add(one: ExportedDeadLetter): Promise<boolean> {
    const line = Buffer.from(jsonLine(one));
    if (this.count > 0 && this.bytes + line.length > this.maxBytes) return false;
    await this.handle.appendFile(line);
    this.bytes += line.length;
    this.count++;
    return true;
  }

  async end(next: string | null, failures: readonly BrokerFailure[]): Promise<void> {
    const unanswered = failures.length === 0 ? undefined : failures.map(({ name }) => name);
    await this.handle.appendFile(jsonLine({ exported: this.count, next, unanswered } satisfies End));
    await this.handle.sync();
  }
}

/**
 * Reads all of a file, before any of it is sent.
 * @returns undefined when it is complete, otherwise how it ended
 * @throws UsageError that names the line that is wrong; the reason of the signal
 */
export async function checkFile(file: string, signal: AbortSignal): Promise<string | undefined> {
  let stopped: string | undefined = 'before its first dead letter';
  for await (const { value } of linesOf(file)) {
    signal.throwIfAborted();
    stopped = isEnd(value) ? lackOf(value) : `after ${value.position} of ${value.consumerGroup}`;
  }
  return stopped;
}

/** Undefined for the end of a complete file. */
function lackOf({ next, unanswered = [] }: End): string | undefined {
  const lacks = [
    ...(next === null ? [] : [`at ${next}, where another export can begin`]),
    ...(unanswered.length === 0
      ? []
      : [`without the dead letters of ${unanswered.join(' and ')}, which did not answer`]),
  ];
  return lacks.length === 0 ? undefined : lacks.join(', ');
}

/** The dead letters of a file, some of one group at a time. */
export async function* lotsIn(
  file: string,
): AsyncGenerator<{ readonly group: string; readonly exported: readonly ExportedDeadLetter[] }> {
  let lot: ExportedDeadLetter[] = [];
  let lotBytes = 0;
  const groupOf = ([first]: readonly ExportedDeadLetter[]): string => first?.consumerGroup ?? '';
  for await (const { value, bytes } of linesOf(file)) {
    if (isEnd(value)) continue;
    const isFull = lot.length >= MAX_LOT || lotBytes + bytes > MAX_LOT_BYTES || groupOf(lot) !== value.consumerGroup;
    if (lot.length > 0 && isFull) {
      yield { group: groupOf(lot), exported: lot };
      lot = [];
      lotBytes = 0;
    }
    lot.push(value);
    lotBytes += bytes;
  }
  if (lot.length > 0) yield { group: groupOf(lot), exported: lot };
}

interface Line {
  readonly value: ExportedDeadLetter | End;
  readonly bytes: number;
}

/** Those that are not empty, whichever way an editor ends them. @throws UsageError that names the line that is wrong */
async function* linesOf(file: string): AsyncGenerator<Line> {
  const decoder = new TextDecoder();
  let number = 0;
  for await (const bytes of rawLines(file)) {
    const where = `${file}, line ${++number}`;
    if (bytes === undefined) throw wrongCall(`${where} has more than ${MAX_LINE_BYTES} bytes; nothing was sent`);
    // Without the byte order mark that editors put before the first line.
    const text = decoder.decode(bytes).trim();
    if (text !== '') yield { value: valueIn(text, where), bytes: bytes.length };
  }
}

function valueIn(text: string, where: string): Line['value'] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const cure = 'if the export was stopped in this line, delete it';
    throw wrongCall(`${where} is no whole line of JSON; nothing was sent; ${cure}`);
  }
  if (isEnd(value)) return value;
  const problem = exportedProblem(value);
  if (problem === undefined) return value as ExportedDeadLetter;
  throw wrongCall(`${where}: ${problem}; nothing was sent`);
}

function isEnd(value: unknown): value is End {
  const { exported, next, unanswered = [] } = Object(value) as Partial<Record<keyof End, unknown>>;
  const areNames = Array.isArray(unanswered) && unanswered.every((name) => typeof name === 'string');
  return typeof exported === 'number' && (next === null || typeof next === 'string') && areNames;
}

/** Without their ends; undefined, the last one, for a line that is too long. @throws UsageError when the file cannot be read */
async function* rawLines(file: string): AsyncGenerator<Buffer | undefined> {
  let begun: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, start)) {
        yield Buffer.concat([...begun, chunk.subarray(start, end)]);
        begun = [];
        length = 0;
        start = end + 1;
      }
      begun.push(chunk.subarray(start));
      length += chunk.length - start;
      if (length > MAX_LINE_BYTES) return yield undefined;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw wrongCall(`cannot read ${file}: ${describeError(error)}`);
  }
  yield Buffer.concat(begun);
}
