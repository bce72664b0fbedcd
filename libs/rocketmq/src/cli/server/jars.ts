// Gets the jars of one Apache RocketMQ version, once, into the user's cache; and says what the machine lacks to run them.
// Starting them is local-server.ts.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describeError } from '../../support/logger.js';
import { DownloadError, MAVEN_CENTRAL, MavenRepository } from './maven-repository.js';
import { resolveJars } from './maven-resolution.js';

export const DEFAULT_VERSION = '5.5.0';
const OLDEST_JAVA = 17;
const GROUP = 'org.apache.rocketmq';

/** The first release whose proxy is on Maven Central; older brokers run without one. */
const FIRST_PROXY = [5, 3, 3];

/** The first release with ACL 2.0; older ones have ACL 1.0. */
const FIRST_ACL_2 = [5, 3, 0];

/** Whether a release has a proxy. */
export function hasProxy(version: string): boolean {
  return isFrom(FIRST_PROXY, version);
}

/** Whether a release has users and permissions of ACL 1.0 only. */
export function hasPlainAcl(version: string): boolean {
  return !isFrom(FIRST_ACL_2, version);
}

function isFrom(first: readonly number[], version: string): boolean {
  const parts = version.split('.').map(Number);
  const differing = first.findIndex((part, index) => part !== parts[index]);
  return differing === -1 || Number(parts[differing]) > Number(first[differing]);
}

/** What stops the caller, in words a person can act on. The runners print the message without a stack. */
export class RealServerError extends Error {
  override readonly name = 'RealServerError';
}

/** Where everything of the real server that outlives a run is kept. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nestjs-rocketmq');
}

/** Where jars come from, and where progress is logged. */
interface Download {
  readonly log: (line: string) => void;
  /** Stops the download. */
  readonly signal?: AbortSignal | undefined;
  /** The address of a Maven repository. Default: Maven Central. */
  readonly repository?: string | undefined;
}

/**
 * The jars of a version; downloads them when the cache has none. Two runs at once are safe: each downloads to a folder of
 * its own, and the first to end gives it its name.
 * @returns the folder with the jars
 * @throws RealServerError when Java is missing or the download fails
 */
export async function ensureJars(version: string, download: Download): Promise<string> {
  if (!/^\d+\.\d+\.\d+(-incubating)?$/.test(version))
    throw new RealServerError(`"${version}" is not a version such as ${DEFAULT_VERSION}`);
  checkJava();
  const folder = join(cacheFolder(), version);
  if (existsSync(folder)) return folder;

  mkdirSync(cacheFolder(), { recursive: true });
  const temporary = mkdtempSync(join(cacheFolder(), `download-${version}-`));
  try {
    download.log(`downloading Apache RocketMQ ${version} once (up to 100 MB) to ${folder}`);
    await downloadJars(version, temporary, download);
    publish(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}

/** @throws RealServerError that says how to get Java */
function checkJava(): void {
  const java = javaMajorVersion();
  if (java !== undefined && java >= OLDEST_JAVA) return;
  const found = java === undefined ? 'no "java" on the PATH' : `"java" is version ${java}`;
  throw new RealServerError(
    `a real Apache RocketMQ needs Java ${OLDEST_JAVA} or newer (${found}); nothing was started. Debian, Ubuntu: ` +
      'apt install openjdk-17-jre-headless; macOS: brew install openjdk@17; others: https://adoptium.net. ' +
      'Without Java, start the embedded broker: npx nestjs-rocketmq broker --strict',
  );
}

/** @returns 17 for both `openjdk version "17.0.15"` and newer forms, 8 for "1.8.0" */
function javaMajorVersion(): number | undefined {
  const run = spawnSync('java', ['-version'], { encoding: 'utf8', env: process.env });
  if (run.status !== 0) return undefined;
  const found = /version "(?:1\.)?(\d+)/.exec(run.stderr + run.stdout);
  return found === null ? undefined : Number(found[1]);
}

async function downloadJars(
  version: string,
  folder: string,
  { repository: url = MAVEN_CENTRAL, signal }: Download,
): Promise<void> {
  const failed = new AbortController();
  const repository = new MavenRepository(url, signal ? AbortSignal.any([signal, failed.signal]) : failed.signal);
  const parts = [...(hasProxy(version) ? ['proxy'] : []), 'namesrv', 'broker', 'tools'];
  const roots = parts.map((part) => ({ groupId: GROUP, artifactId: `rocketmq-${part}`, version }));
  try {
    for (const root of roots) await repository.pom(root);
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof DownloadError) || !error.isMissing) throw notDownloaded(version, error);
    throw new RealServerError(
      `${url} has no Apache RocketMQ ${version}; nothing was started. The default is ${DEFAULT_VERSION}`,
    );
  }
  try {
    const jars = await resolveJars(roots, (artifact) => repository.pom(artifact));
    await Promise.all(jars.map((jar) => repository.jar(jar, folder)));
  } catch (error) {
    // The others would write into a folder that is removed.
    failed.abort(error);
    signal?.throwIfAborted();
    throw notDownloaded(version, error);
  }
}

function notDownloaded(version: string, cause: unknown): RealServerError {
  const text = `Apache RocketMQ ${version} could not be downloaded, and nothing was started: ${describeError(cause)}`;
  return new RealServerError(`${text}. Check the connection, and give a mirror by --repository if you need one`, {
    cause,
  });
}

function publish(jars: string, folder: string): void {
  try {
    renameSync(jars, folder);
  } catch (error) {
    // Another run was faster; its jars are as good.
    if (!existsSync(folder)) throw error;
  }
}
