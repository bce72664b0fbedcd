// The branches of the library's code that a run reaches, counted by V8.

import { Session } from 'node:inspector/promises';

const FOLDERS = ['client', 'producer', 'consumer'];

/** Starts counting. */
export async function countBranches(): Promise<() => Promise<string[]>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  /** Stops counting and returns a line for each folder. */
  return async () => {
    const { result } = await session.post('Profiler.takePreciseCoverage');
    session.disconnect();
    return FOLDERS.map((folder) => {
      const scripts = result.filter(({ url }) => url.includes(`/libs/rocketmq/src/${folder}/`));
      const ranges = scripts.flatMap(({ functions }) => functions.flatMap((one) => one.ranges));
      const reached = ranges.filter(({ count }) => count > 0).length;
      return `${folder}/: ${reached} of ${ranges.length} branches (${Math.round((100 * reached) / ranges.length)} %)`;
    });
  };
}
