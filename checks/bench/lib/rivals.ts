// Gets what the benchmarks compare with, at the first run: the packages of checks/bench/package.json, and the official clients of Java
// and Go with their programs, compiled.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../tools/process/run-command.js';

const bench = join(import.meta.dirname, '..');
const PLUGINS = 'org.apache.maven.plugins:maven';
const COMPILE_GOAL = `${PLUGINS}-compiler-plugin:3.13.0:compile`;
const COPY_GOAL = `${PLUGINS}-dependency-plugin:3.8.1:copy-dependencies`;

/** The newest on Maven Central in November 2026: the client of proxies, and that of name servers. */
export const JAVA_CLIENT_VERSION = '5.2.0';
export const JAVA_REMOTING_CLIENT_VERSION = '5.5.0';
/** The newest of 4.x, which pulls. */
export const JAVA_4X_CLIENT_VERSION = '4.9.8';

/** Its heap does not grow while it is measured. */
export const JAVA_OPTIONS = ['-Xms512m', '-Xmx512m'];

type Log = (line: string) => void;

/** Installs the Node.js packages unless they are there. */
export async function installNodeRivals(log: Log): Promise<void> {
  const lockfile = readFileSync(join(bench, 'package-lock.json'), 'utf8');
  // Modification times are not used, because a checkout changes them.
  const note = join(bench, 'node_modules', '.installed-by-bench');
  if (existsSync(note) && readFileSync(note, 'utf8') === lockfile) return;
  log('installing what the benchmarks compare with, into bench/node_modules');
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: bench });
  writeFileSync(note, lockfile);
}

/**
 * Compiles the Java program unless it is there: against the newest clients, so that one source serves all versions.
 * @param versions of the clients that it runs with
 * @returns its class path
 */
export async function compileJavaRival(
  { byProxy, byNameServer }: { readonly byProxy: string; readonly byNameServer: string },
  log: Log,
): Promise<string> {
  const folder = join(bench, 'java', 'target', `${byProxy}-${byNameServer}`);
  const stamp = join(folder, 'sources');
  const sources = sourcesOf('java');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== sources) {
    log(`compiling the Java clients' program, with versions ${byProxy} and ${byNameServer}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const maven = (remoting: string, ...goals: readonly string[]) => {
      const versions = [`-Dclient.version=${byProxy}`, `-Dremoting.version=${remoting}`];
      const project = ['-f', join(bench, 'java', 'pom.xml'), ...versions, `-Dbench.folder=${folder}`];
      return run('mvn', ['-q', '-B', ...project, ...goals], { cwd: bench });
    };
    await maven(JAVA_REMOTING_CLIENT_VERSION, COMPILE_GOAL);
    await maven(byNameServer, COPY_GOAL, `-DoutputDirectory=${join(folder, 'jars')}`);
    writeFileSync(stamp, sources);
  }
  return [join(folder, 'classes'), join(folder, 'jars', '*')].join(':');
}

/**
 * Compiles the Go program unless it is there.
 * @returns its path; undefined where Go or its modules cannot be had, which is logged
 */
export async function compileGoRival(log: Log): Promise<string | undefined> {
  const folder = join(bench, 'go', 'target');
  const program = join(folder, 'bench');
  const stamp = join(folder, 'sources');
  const sources = sourcesOf('go');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return program;
  log("compiling the Go clients' program");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    await run('go', ['build', '-mod=readonly', '-buildvcs=false', '-o', program, '.'], { cwd: join(bench, 'go') });
  } catch (error) {
    const [what, ...more] = String(error).trim().split('\n');
    log(`left out: the Go clients, as they cannot be compiled: ${what} ${more.at(-1) ?? ''}`);
    return undefined;
  }
  writeFileSync(stamp, sources);
  return program;
}

/** @param folder of a program; what is compiled from it is in its folder `target` */
function sourcesOf(folder: string): string {
  const root = join(bench, folder);
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.parentPath.startsWith(join(root, 'target')),
  );
  return files
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .sort()
    .join('\n');
}
