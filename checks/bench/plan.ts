// What a benchmark measures with its options, and about how long that takes. Nothing runs here.

import { DEFAULT_VERSION, hasProxy } from '../../libs/rocketmq/src/cli/server/jars.js';
import { OptionError } from '../options.js';
import { columnOf } from './columns.js';
import { secondsOf } from './lib/estimate.js';
import { JAVA_4X_CLIENT_VERSION, JAVA_CLIENT_VERSION, JAVA_REMOTING_CLIENT_VERSION } from './lib/rivals.js';
import { ROUNDS as ROUNDS_TO_CHECK, SCALE, WATCHED } from './regressions.js';
import type { Section, SectionTask } from './section.js';
import { SECTIONS } from './sections.js';

const ROUNDS = 3;
/** To build, to start the servers and to warm them up. */
const START_SECONDS = { quick: 20, whole: 40 };
const PROFILED = ['send-64', 'drain'];

export interface BenchValues {
  readonly quick: boolean;
  readonly only: readonly string[] | undefined;
  readonly columns: readonly string[] | undefined;
  readonly rounds: number | undefined;
  readonly scale: number;
  readonly long: boolean;
  readonly profile: boolean;
  readonly version: string;
  readonly 'java-version': string;
  readonly out: string | undefined;
}

export interface Plan {
  sections: readonly Section[];
  columnsOf: (section: Section) => readonly string[];
  rounds: number;
  isWhole: boolean;
  serverVersion: string;
  javaVersions: JavaVersions;
}

export interface JavaVersions {
  byProxy: string;
  byNameServer: string;
}

export function planOf({
  quick,
  only: chosen,
  columns,
  scale,
  long,
  profile: isProfile,
  version,
  ...options
}: BenchValues): Plan {
  const is4x = version.startsWith('4.');
  if (!is4x && !hasProxy(version)) throw new OptionError(`--version ${version}: not 4.x, and without a proxy`);
  const named = columns?.map((id) => columnOf(id).id);
  const isWanted = ({ id, isLong, isOf4x = false, quickTask }: Section) => {
    if (isOf4x !== is4x) return false;
    if (chosen !== undefined) return chosen.some((name) => id === name || id.startsWith(`${name}-`));
    if (isProfile && !is4x) return PROFILED.includes(id);
    return (long || !isLong) && (!quick || quickTask !== undefined);
  };
  const sections = SECTIONS.filter(isWanted).map((section) => ({
    ...section,
    task: scaled((quick && section.quickTask) || section.task, scale),
  }));
  if (sections.length === 0)
    throw new OptionError(`--only ${chosen}: there are ${SECTIONS.map(({ id }) => id).join(', ')}`);
  const columnsOf = (section: Section) => {
    if (isProfile) return named ?? [is4x ? 'ours-remoting' : 'ours'];
    if (named !== undefined) return section.columns.filter((id) => named.includes(id));
    return quick
      ? (section.quickColumns ?? section.columns.filter((id) => !columnOf(id).isSlowToGet))
      : section.columns;
  };
  const { rounds = quick || isProfile ? 1 : ROUNDS } = options;
  const isOfAll = version === DEFAULT_VERSION && chosen === undefined && named === undefined;
  const isWhole = !quick && isOfAll && scale === 1 && rounds >= ROUNDS;
  const byNameServer = is4x ? JAVA_4X_CLIENT_VERSION : JAVA_REMOTING_CLIENT_VERSION;
  const javaVersions = { byProxy: options['java-version'], byNameServer };
  return { sections, columnsOf, rounds, isWhole, serverVersion: version, javaVersions };
}

export function planToCheck(): Plan {
  const sections = SECTIONS.filter(({ id }) => WATCHED.sections.includes(id)).map((section) => ({
    ...section,
    task: scaled(section.task, SCALE),
  }));
  const javaVersions = { byProxy: JAVA_CLIENT_VERSION, byNameServer: JAVA_REMOTING_CLIENT_VERSION };
  const serverVersion = DEFAULT_VERSION;
  const columnsOf = () => WATCHED.columns;
  return { sections, columnsOf, rounds: ROUNDS_TO_CHECK, isWhole: false, serverVersion, javaVersions };
}

/** What there is of messages and seconds, times a factor. */
function scaled(task: SectionTask, factor: number) {
  const times = (value: number) => Math.ceil(value * factor);
  const names = ['warmUp', 'count', 'warmUpSeconds', 'seconds', 'pending', 'about'] as const;
  const scaledOnes = names.flatMap((name) => (task[name] === undefined ? [] : [[name, times(task[name])]]));
  return { ...task, ...Object.fromEntries(scaledOnes) };
}

/** @returns seconds */
export function estimate({ sections, columnsOf, rounds }: Plan, isQuick: boolean): number {
  const all = sections.flatMap((section) => {
    const times = section.isOnce ? 1 : rounds;
    return columnsOf(section).map((id) => times * secondsOf(columnOf(id), section.task));
  });
  return START_SECONDS[isQuick ? 'quick' : 'whole'] + all.reduce((sum, one) => sum + one, 0);
}
