// The official clients: fetched into the user's cache once, compiled there, and run against a broker. None of them is a
// dependency of this workspace.

import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, DEFAULT_VERSION, ensureJars } from '../../libs/rocketmq/src/cli/server/jars.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import { MIXED, prefixOf } from './resources.js';

const NODE_CLIENT_VERSION = '1.0.8';
const JAVA_CLIENT_VERSION = '5.2.0';
/** One program compiles with both. */
const REMOTING_JAVA_VERSIONS = { 4: '4.9.8', 5: '5.5.0' };
const PYTHON_CLIENT_VERSION = '5.1.2';
const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
const COMPILE_GOAL = 'org.apache.maven.plugins:maven-compiler-plugin:3.13.0:compile';
const JSON_SOURCE = 'java/src/main/java/interop/Json.java';
/** By default a consumer looks for its queues every 20 s, which is longer than most steps take. */
const REMOTING_JAVA_FLAGS = ['-Drocketmq.client.rebalance.waitInterval=1000'];
const OUTPUT_TAIL = 4000;

interface Client {
  /** Gets and compiles what it needs; answers its folder. */
  prepare: (log: (line: string) => void) => Promise<string>;
  /** Program, arguments, environment. */
  command: (
    folder: string,
    endpoints: string,
    steps: readonly string[],
    home: string,
    nameServer: string,
  ) => [string, string[], NodeJS.ProcessEnv?];
}

const CLIENTS: Record<string, Client> = {
  java: {
    prepare: (log) =>
      cached(`interop-java-${JAVA_CLIENT_VERSION}-${sourceHash('java')}`, log, async (folder) => {
        cpSync(join(import.meta.dirname, 'java'), folder, { recursive: true });
        const properties = [`-Dclient.version=${JAVA_CLIENT_VERSION}`, `-DoutputDirectory=${join(folder, 'jars')}`];
        await run('mvn', ['-q', '-B', '-f', join(folder, 'pom.xml'), ...properties, COMPILE_GOAL, COPY_GOAL]);
      }),
    command: (folder, endpoints, steps, home) => [
      'java',
      [
        '-Xmx512m',
        `-Duser.home=${home}`,
        '-cp',
        [join(folder, 'target', 'classes'), join(folder, 'jars', '*')].join(':'),
        'interop.Program',
        endpoints,
        prefixOf('java'),
        steps.join(','),
      ],
    ],
  },
  node: {
    prepare: nodeClient,
    command: (folder, endpoints, steps) => [
      process.execPath,
      [join(import.meta.dirname, 'node', 'program.mjs'), folder, endpoints, prefixOf('node'), steps.join(',')],
    ],
  },
  python: {
    prepare: (log) =>
      cached(`interop-python-${PYTHON_CLIENT_VERSION}`, log, async (folder) => {
        const flags = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', folder];
        await run('python3', [...flags, `rocketmq-python-client==${PYTHON_CLIENT_VERSION}`]);
      }),
    command: (folder, endpoints, steps) => [
      'python3',
      [join(import.meta.dirname, 'python', 'program.py'), endpoints, prefixOf('python'), steps.join(',')],
      { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' },
    ],
  },
  // They come with the server.
  tools: {
    prepare: (log) => ensureJars(DEFAULT_VERSION, { log }),
    command: (folder, _endpoints, _steps, home, nameServer) => [
      'java',
      [
        '-Xmx256m',
        `-Duser.home=${home}`,
        '-cp',
        join(folder, '*'),
        join(import.meta.dirname, 'tools', 'Administration.java'),
        nameServer,
        prefixOf('tools'),
      ],
    ],
  },
  // The Java clients among them come with the server.
  [MIXED]: {
    async prepare(log) {
      await ensureJars(DEFAULT_VERSION, { log });
      return nodeClient(log);
    },
    command: (folder, endpoints, steps, _home, nameServer) => {
      const jars = join(cacheFolder(), DEFAULT_VERSION);
      const program = [...TYPESCRIPT_ARGS, join(import.meta.dirname, 'mixed', 'program.ts')];
      return [process.execPath, [...program, folder, jars, endpoints, nameServer, prefixOf(MIXED), steps.join(',')]];
    },
  },
  'java-4': remotingJavaClient(4),
  'java-5': remotingJavaClient(5),
  'go-2': {
    prepare: (log) => goClient('remoting-go', log),
    command: (folder, _endpoints, steps, _home, nameServer) => [
      join(folder, 'interop'),
      [nameServer, prefixOf('go-2'), steps.join(',')],
      { ROCKETMQ_GO_LOG_LEVEL: 'error' },
    ],
  },
  go: {
    prepare: (log) => goClient('go', log),
    command: (folder, endpoints, steps, home) => [
      join(folder, 'interop'),
      [endpoints, prefixOf('go'), steps.join(',')],
      { 'rocketmq.client.logRoot': join(home, 'logs'), 'rocketmq.client.logLevel': 'warn' },
    ],
  },
};

function remotingJavaClient(major: keyof typeof REMOTING_JAVA_VERSIONS): Client {
  const version = REMOTING_JAVA_VERSIONS[major];
  const source = join(import.meta.dirname, 'remoting-java');
  return {
    prepare: (log) =>
      cached(`interop-remoting-java-${version}-${sourceHash('remoting-java', JSON_SOURCE)}`, log, async (folder) => {
        const jars = join(folder, 'jars');
        const properties = [`-Dclient.version=${version}`, `-DoutputDirectory=${jars}`];
        await run('mvn', ['-q', '-B', '-f', join(source, 'pom.xml'), ...properties, COPY_GOAL]);
        const files = ['Program.java', 'World.java'].map((file) => join(source, file));
        files.push(join(import.meta.dirname, JSON_SOURCE));
        await run('javac', ['-cp', join(jars, '*'), '-d', join(folder, 'classes'), ...files]);
      }),
    command: (folder, _endpoints, steps, home, nameServer) => [
      'java',
      [
        '-Xmx512m',
        `-Duser.home=${home}`,
        ...REMOTING_JAVA_FLAGS,
        '-cp',
        [join(folder, 'classes'), join(folder, 'jars', '*')].join(':'),
        'interop.Program',
        nameServer,
        prefixOf(`java-${major}`),
        steps.join(','),
      ],
    ],
  };
}

/** @param source the folder of the program, whose go.mod has the version of the client */
function goClient(source: string, log: (line: string) => void): Promise<string> {
  return cached(`interop-${source}-${sourceHash(source)}`, log, async (folder) => {
    const GOMODCACHE = join(cacheFolder(), 'go-modules');
    const env = { ...process.env, GOMODCACHE, GOFLAGS: '-mod=readonly -modcacherw -buildvcs=false' };
    await run('go', ['build', '-o', join(folder, 'interop'), '.'], { cwd: join(import.meta.dirname, source), env });
  });
}

function nodeClient(log: (line: string) => void): Promise<string> {
  return cached(`interop-node-${NODE_CLIENT_VERSION}`, log, async (folder) => {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
    await run('npm', ['install', ...flags, `rocketmq-client-nodejs@${NODE_CLIENT_VERSION}`], { cwd: folder });
  });
}

export function clientOf(name: string) {
  const client = CLIENTS[name];
  if (client === undefined) throw new Error(`there is no client ${name}`);
  return client;
}

/**
 * Runs a client's program to its end.
 * @param folder what `prepare` answered
 * @returns what it printed
 * @throws Error with the end of its error output when it does not end by itself, with 0, in time
 */
export async function runClient(
  name: string,
  folder: string,
  options: {
    endpoints: string;
    /** For administration. */
    nameServer: string;
    steps: readonly string[];
    /** Takes the logs that the client writes. */
    home: string;
    timeoutMs: number;
    signal?: AbortSignal;
    /** Without TLS, whatever the client does by default. */
    isPlaintext?: boolean;
    /** Sees the process while it runs, with an input. */
    attach?: (child: ChildProcess) => void;
  },
): Promise<string> {
  const { endpoints, nameServer, steps, home, timeoutMs, signal, isPlaintext, attach } = options;
  mkdirSync(home, { recursive: true });
  const [program, args, env] = clientOf(name).command(folder, endpoints, steps, home, nameServer);
  const plaintext = isPlaintext ? { INTEROP_PLAINTEXT: '1' } : {};
  const environment = { ...process.env, HOME: home, ...plaintext, ...env };
  return run(program, args, { timeout: timeoutMs, signal, env: environment, attach });
}

/** A folder in the cache, filled once; two runs at once are safe. */
async function cached(
  name: string,
  log: (line: string) => void,
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = join(cacheFolder(), name);
  if (existsSync(folder)) return folder;
  mkdirSync(cacheFolder(), { recursive: true });
  const temporary = mkdtempSync(join(cacheFolder(), 'download-interop-'));
  try {
    log(`getting ${name} once, into ${folder}`);
    await fill(temporary);
    renameSync(temporary, folder);
  } catch (error) {
    // Another run was faster; its folder is as good.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}

/** Changes with each change of the program, which must then be compiled anew. */
function sourceHash(folder: string, ...others: readonly string[]): string {
  const hash = createHash('sha256');
  const root = join(import.meta.dirname, folder);
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash.update(path.slice(root.length)).update(readFileSync(path));
  }
  for (const other of others) hash.update(readFileSync(join(import.meta.dirname, other)));
  return hash.digest('hex').slice(0, 12);
}

/** @returns standard output @throws Error with the end of its output, if it fails */
export function run(
  program: string,
  args: readonly string[],
  {
    attach,
    ...options
  }: {
    cwd?: string;
    env?: NodeJS.ProcessEnv;
    timeout?: number;
    signal?: AbortSignal;
    attach?: (child: ChildProcess) => void;
  } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const stdio: StdioOptions = [attach === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'];
    const child = spawn(program, args, { stdio, killSignal: 'SIGKILL', ...options });
    attach?.(child);
    let output = '';
    let errors = '';
    child.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      errors = (errors + chunk).slice(-OUTPUT_TAIL);
    });
    child.once('error', reject);
    child.once('close', (code, killedBy) => {
      if (code === 0) return resolve(output);
      const how = killedBy === null ? `exit code ${code}` : `${killedBy}, perhaps since it did not end in time`;
      const error = new Error(`${program} ended with ${how}:\n${(errors || output.slice(-OUTPUT_TAIL)).trim()}`);
      reject(Object.assign(error, { output }));
    });
  });
}
