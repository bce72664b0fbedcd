// What members and the run write down, a JSON line each. Times are of the machine's monotonic clock, which all its processes share.

import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome } from 'nestjs-rocketmq/client';

/** The consumer group of the ordered topic, or of the other one. */
export type GroupKind = 'ordered' | 'plain';

/** `by` is the process: the name of the member and how often it has been started. */
export type Fact =
  /** A send begins. The id is in the body; in a message group, a message that may not be stored is sent again before the next. */
  | { readonly kind: 'began'; readonly id: string; readonly group?: string; readonly by: string; readonly atMs: number }
  | {
      readonly kind: 'reported';
      readonly id: string;
      readonly outcome: 'stored' | Outcome;
      readonly code?: string;
      readonly by: string;
      readonly atMs: number;
    }
  /** A handler begins. `place`, on its broker, differs between copies and between deliveries from retry topics; `messageId` between calls of `send`. */
  | {
      readonly kind: 'begun';
      readonly id: string;
      readonly of: GroupKind;
      /** The name of the broker, which is that of its process. */
      readonly broker: string;
      readonly place: string;
      /** Whether the place is in a retry topic. */
      readonly isRetry: boolean;
      readonly messageId: string;
      readonly attempt: number;
      readonly by: string;
      readonly atMs: number;
    }
  | {
      readonly kind: 'handled' | 'failed';
      readonly id: string;
      readonly of: GroupKind;
      readonly by: string;
      readonly atMs: number;
    }
  /** The consumer reported that a message may be redelivered. */
  | {
      readonly kind: 'doubted';
      readonly id: string;
      readonly of: GroupKind;
      readonly by: string;
      readonly atMs: number;
    }
  /** A member or server has been killed, or a member has ended. */
  | { readonly kind: 'died'; readonly by: string; readonly atMs: number }
  | Fault;

/** What the run did to a process; `target` is a broker, or a member's process as in `by`. */
export interface Fault {
  readonly kind: 'fault';
  readonly what: 'kill' | 'stop';
  readonly target: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export function nowMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** Writes at once: a process that is killed has written all it has seen. */
export class FactFile {
  private readonly file: number;

  constructor(folder: string, name: string) {
    this.file = openSync(join(folder, `${name}.facts`), 'a');
  }

  add(fact: Fact): void {
    writeSync(this.file, `${JSON.stringify(fact)}\n`);
  }

  close(): void {
    closeSync(this.file);
  }
}

/** All facts of a folder, in the order of their time. */
export function readFacts(folder: string): Fact[] {
  const facts = readdirSync(folder)
    .filter((name) => name.endsWith('.facts'))
    .flatMap((name) => linesOf(join(folder, name)));
  return facts.sort((a, b) => timeOf(a) - timeOf(b));
}

/** @returns empty for a file that does not exist yet */
export function factsOf(folder: string, name: string): Fact[] {
  try {
    return linesOf(join(folder, `${name}.facts`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function linesOf(file: string): Fact[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  // A kill can cut the last line.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Fact);
}

export function timeOf(fact: Fact): number {
  return fact.kind === 'fault' ? fact.fromMs : fact.atMs;
}
