// Gets the jars of one Apache RocketMQ version, once, into the user's cache; and says what the machine lacks to do so.
// Starting them is server.ts.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const DEFAULT_VERSION = '5.5.0';
const OLDEST_JAVA = 17;
const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

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

/**
 * The jars of a version; downloads them when the cache has none. Two runs at once are safe: each downloads to a folder of
 * its own, and the first to end gives it its name.
 * @param signal stops the download
 * @returns the folder with the jars
 * @throws RealServerError when Java or Maven is missing or the download fails
 */
export async function ensureJars(version: string, log: (line: string) => void, signal?: AbortSignal): Promise<string> {
  if (!/^\d+\.\d+\.\d+(-incubating)?$/.test(version))
    throw new RealServerError(`"${version}" is not a version such as 5.5.0`);
  const folder = join(cacheFolder(), version);
  const cached = existsSync(folder);
  checkPrerequisites({ maven: !cached });
  if (cached) return folder;

  mkdirSync(cacheFolder(), { recursive: true });
  const temporary = mkdtempSync(join(cacheFolder(), `download-${version}-`));
  try {
    log(`downloading Apache RocketMQ ${version} once (about 100 MB) to ${folder}`);
    const jars = join(temporary, 'jars');
    await download(version, temporary, jars, signal);
    checkJars(version, jars);
    publish(jars, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}

/** @throws RealServerError that names all that is missing, and how to get it */
function checkPrerequisites(needs: { maven: boolean }): void {
  const missing = [];
  const java = javaMajorVersion();
  if (java === undefined || java < OLDEST_JAVA) {
    const found = java === undefined ? 'no "java" on the PATH' : `"java" is version ${java}`;
    missing.push(
      `Java ${OLDEST_JAVA} or newer (${found})\n${howToGet('Java', 'openjdk-17-jre-headless', 'openjdk@17')}`,
    );
  }
  if (needs.maven && spawnSync('mvn', ['-v'], { stdio: 'ignore' }).status !== 0) {
    missing.push(`Maven, to download the jars ("mvn" does not run)\n${howToGet('Maven', 'maven', 'maven')}`);
  }
  if (missing.length === 0) return;
  throw new RealServerError(
    `A real Apache RocketMQ needs:\n- ${missing.join('\n- ')}\nWithout them, "npm start" runs the demo on the embedded broker.`,
  );
}

function howToGet(what: string, debian: string, brew: string): string {
  const home = what === 'Java' ? 'https://adoptium.net' : 'https://maven.apache.org/install.html';
  return `    Debian, Ubuntu: apt install ${debian}    macOS: brew install ${brew}    others: ${home}`;
}

/** @returns 17 for both `openjdk version "17.0.15"` and newer forms, 8 for "1.8.0" */
function javaMajorVersion(): number | undefined {
  const run = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (run.status !== 0) return undefined;
  const found = /version "(?:1\.)?(\d+)/.exec(run.stderr + run.stdout);
  return found === null ? undefined : Number(found[1]);
}

async function download(version: string, folder: string, jars: string, signal?: AbortSignal): Promise<void> {
  const pom = join(folder, 'pom.xml');
  writeFileSync(pom, pomOf(version));
  const child = spawn('mvn', ['-q', '-B', '-f', pom, COPY_GOAL, `-DoutputDirectory=${jars}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output = (output + chunk).slice(-4000);
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code === 0) return;
  throw new RealServerError(
    `Maven could not download Apache RocketMQ ${version} (exit code ${code}):\n${output.trim()}`,
  );
}

function partsOf(version: string): string[] {
  return [...(hasProxy(version) ? ['proxy'] : []), 'namesrv', 'broker', 'tools'];
}

function pomOf(version: string): string {
  const artifacts = partsOf(version).map((part) => `rocketmq-${part}`);
  const dependencies = artifacts.map(
    (name) =>
      `<dependency><groupId>org.apache.rocketmq</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>nestjs-rocketmq</groupId><artifactId>real-server</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>\n`;
}

function checkJars(version: string, jars: string): void {
  const names = readdirSync(jars);
  for (const part of partsOf(version)) {
    const name = `rocketmq-${part}-${version}.jar`;
    if (!names.includes(name)) throw new RealServerError(`the download of Apache RocketMQ ${version} lacks ${name}`);
  }
}

function publish(jars: string, folder: string): void {
  try {
    renameSync(jars, folder);
  } catch (error) {
    // Another run was faster; its jars are as good.
    if (!existsSync(folder)) throw error;
  }
}
