// What the pages read from, and how a page shows what failed.

import type { BrokerVersions, RocketMQAdmin } from 'nestjs-rocketmq/admin';
import type { ControlClient } from 'nestjs-rocketmq/broker';
import type { Audit, ConsoleAction } from '../access/audit.js';
import type { Redaction } from '../access/redaction.js';
import type { EditedCopies } from '../changes/edited-copies.js';
import type { TimeWatch } from '../cluster/broker-time.js';
import type { CachedAnswer } from '../cluster/cached-answer.js';
import type { ClusterWatch } from '../cluster/cluster-watch.js';
import type { KeptLag } from '../cluster/kept-lag.js';
import type { RecallWatch } from '../cluster/recall-watch.js';
import type { ReplayWatch } from '../cluster/replay-watch.js';
import { ConsoleRejection, type ConsoleRequest } from '../http/exchange.js';
import type { ConsoleApplication, ConsoleSource } from '../source.js';

export interface PageContext {
  readonly source: ConsoleSource;
  readonly admin: RocketMQAdmin;
  readonly watch: ClusterWatch;
  readonly time: TimeWatch;
  readonly versions: CachedAnswer<BrokerVersions>;
  readonly recall: RecallWatch;
  readonly replays: ReplayWatch;
  readonly redaction: Redaction;
  readonly request: ConsoleRequest;
  readonly actions: readonly ConsoleAction[];
  readonly audit: Audit;
  readonly edited: EditedCopies;
  readonly keptLag: KeptLag;
  /** Where applications keep the failures of handlers and the lag of groups; undefined where that is not known. */
  readonly operationsTopic: string | undefined;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

export const DEFAULT_PAGE = 32;
export const MAX_ITEMS = 100;

/** How long the control of a broker may take, as an administration request. */
export const CONTROL_MS = 3_000;

/** The brokers of these messages at which nothing can be canceled, for a viewer who could. */
export async function noRecallAt(
  { actions, recall }: PageContext,
  messages: Parameters<RecallWatch['offAt']>[0],
): Promise<readonly string[]> {
  return actions.includes('recall') ? recall.offAt(messages) : [];
}

/** @throws ConsoleRejection without an embedded broker */
export function controlOf({ source }: PageContext): ControlClient {
  if (source.control === undefined)
    throw new ConsoleRejection(
      404,
      'NO_CONTROL',
      'only an embedded broker shows this; start the console with its control endpoint',
    );
  return source.control();
}

/** @throws ConsoleRejection outside an application */
export function applicationOf({ source: { application } }: PageContext): ConsoleApplication {
  if (application === undefined)
    throw new ConsoleRejection(404, 'NO_APPLICATION', 'this console is not mounted in an application');
  return application;
}

/** How many requests of a page are under way at a time. */
const AT_ONCE = 20;

/** A few at a time: a cluster may have thousands of groups. */
export async function inTurns<T, U>(list: readonly T[], work: (one: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (let from = 0; from < list.length; from += AT_ONCE)
    results.push(...(await Promise.all(list.slice(from, from + AT_ONCE).map(work))));
  return results;
}

/** A part of a page that is missing. */
interface Problem {
  readonly name: string;
  readonly error: unknown;
}

/** How many problems a page lists: each group of a cluster may have one. */
const MAX_PROBLEMS = 50;

/** The first ones; behind them, what says how many more there are. */
function firstOf<T>(all: readonly T[], notListed: (count: number) => T): readonly T[] {
  const more = all.length - MAX_PROBLEMS;
  return more > 0 ? [...all.slice(0, MAX_PROBLEMS), notListed(more)] : all;
}

/** Each once; behind them, how many more there are. */
export function firstProblems(texts: Iterable<string>): readonly string[] {
  return firstOf([...new Set(texts)], (count) => `${count} more: not listed here`);
}

/** The parts of a page: one that fails does not take the others with it. */
export class Parts {
  private readonly found: Problem[] = [];

  /** The first ones; behind them, how many more there are. */
  get problems(): readonly Problem[] {
    return firstOf(this.found, (count) => ({ name: `${count} more`, error: new Error('not listed here') }));
  }

  /** @param name what is missing, for the viewer */
  async of<T, U>(name: string, part: Promise<T> | (() => Promise<T>), otherwise: U): Promise<T | U> {
    try {
      return await (typeof part === 'function' ? part() : part);
    } catch (error) {
      this.found.push({ name, error });
      return otherwise;
    }
  }

  /** Names the brokers that did not answer, once each. */
  add(failures: readonly Problem[]): void {
    for (const { name, error } of failures)
      if (!this.found.some((one) => one.name === name)) this.found.push({ name, error });
  }
}
