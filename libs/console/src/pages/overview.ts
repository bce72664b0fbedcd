// The first page: what is wrong first. And what a viewer can do here.

import { firstProblems, MAX_ITEMS, type PageContext, Parts } from './context.js';

const NO_VERSIONS = { brokers: [], failures: [] };

export async function session(context: PageContext): Promise<object> {
  const { source, actions, nowMs, time, request } = context;
  // A broker that is away can move its time again when it is back.
  const hasTime = await time.read().then(
    (state) => state !== undefined,
    () => false,
  );
  return {
    nowMs: nowMs(),
    viewer: request.viewer,
    actions,
    title: source.title ?? 'RocketMQ',
    kind: source.kind ?? 'cluster',
    has: {
      app: source.application !== undefined,
      schedule: source.schedule !== undefined,
      time: hasTime,
      control: source.control !== undefined,
    },
  };
}

export async function overview({
  watch,
  actions,
  nowMs,
  versions: known,
  request: { viewer },
}: PageContext): Promise<object> {
  const parts = new Parts();
  const [{ topics: all, groups: listed, problems, atMs }, versions, skew] = await Promise.all([
    watch.lists(),
    parts.of('the versions of the brokers', known.read(), NO_VERSIONS),
    parts.of('the clocks of the brokers', watch.skew(), []),
  ]);
  const samples = listed.flatMap(({ consumerGroup }) => watch.sampleOf(consumerGroup) ?? []);
  const growing = samples.filter(({ isGrowing }) => isGrowing);
  const failed = parts.problems.map(({ name, error }) => `${name}: ${(error as Error).message}`);
  return {
    nowMs: nowMs(),
    atMs,
    viewer,
    actions,
    brokers: versions.brokers,
    problems: firstProblems([...problems, ...failed]),
    counts: {
      topics: all.filter(({ kind }) => kind === 'user').length,
      groups: listed.length,
      sampled: samples.length,
      lag: samples.reduce((sum, { lag }) => sum + lag, 0),
      deadLetters: samples.reduce((sum, { deadLetters: dead }) => sum + dead, 0),
    },
    /** What is wrong, the worst first. */
    troubles: {
      deadLetters: samples.filter(({ deadLetters: dead }) => dead > 0).slice(0, MAX_ITEMS),
      growing: growing.slice(0, MAX_ITEMS),
      unattended: samples
        .filter(({ lag, consumers, isMoving }) => lag > 0 && consumers === 0 && !isMoving)
        .slice(0, MAX_ITEMS),
      differing: samples.flatMap(({ differing }) => differing).slice(0, MAX_ITEMS),
      skew,
      unknown: samples.filter(({ problem }) => problem !== undefined).slice(0, MAX_ITEMS),
    },
  };
}
