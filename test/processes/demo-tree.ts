// A copy of the repository in which `npm start` runs as for a user, with its own ports and data.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../scripts/demo/demo-ports.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';

const root = process.cwd();
const COPIED = [
  'package.json',
  'nest-cli.json',
  'tsconfig.base.json',
  'tsconfig.json',
  'scripts',
  'tools',
  'libs',
  'apps',
];
/** The first start of PGlite alone takes up to 12 s on a busy machine. */
const TIMEOUT_MS = 90_000;
const POLL_MS = 25;

/** Waits for a condition, in real time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const lastTryAtMs = Date.now() + TIMEOUT_MS;
  while (!(await holds())) {
    if (Date.now() > lastTryAtMs) throw new Error(`did not come true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Copies the built repository and links its packages. */
export async function copyTree(): Promise<string> {
  await promisify(execFile)(process.execPath, [...TYPESCRIPT_ARGS, 'scripts/build/build.ts'], { cwd: root });
  const copy = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-tree-'));
  for (const name of COPIED) {
    cpSync(join(root, name), join(copy, name), {
      recursive: true,
      preserveTimestamps: true,
      filter: (source) => !['node_modules', 'data'].includes(basename(source)),
    });
  }
  linkPackages(copy);
  return copy;
}

/** Links workspaces to the copy, and other packages to the installed ones. */
function linkPackages(copy: string): void {
  const workspaces = new Map(
    ['libs', 'apps'].flatMap((folder) =>
      readdirSync(join(copy, folder)).map((name): [string, string] => {
        const { name: packageName } = JSON.parse(readFileSync(join(copy, folder, name, 'package.json'), 'utf8'));
        return [packageName, join(copy, folder, name)];
      }),
    ),
  );
  mkdirSync(join(copy, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name === '.build-lock') continue;
    symlinkSync(workspaces.get(name) ?? join(root, 'node_modules', name), join(copy, 'node_modules', name));
  }
}

/** `npm start` in a copy of the repository. */
export class DemoRun {
  output = '';
  private constructor(
    private readonly copy: string,
    private readonly npm: ChildProcess,
    readonly orderUrl: string,
    readonly inventoryUrl: string,
    readonly exited: Promise<number | null>,
  ) {
    npm.stdout?.on('data', (chunk) => {
      this.output += chunk;
    });
    npm.stderr?.on('data', (chunk) => {
      this.output += chunk;
    });
  }

  /** Starts it; `env` adds to the environment. Does not wait until it is ready. */
  static async start(copy: string, env: Record<string, string> = {}): Promise<DemoRun> {
    const ports = new Set<number>();
    while (ports.size < 3) ports.add(await freePort());
    const [order, inventory, broker] = ports;
    const npm = spawn('npm', ['start'], {
      cwd: copy,
      env: {
        ...process.env,
        ROCKETMQ_ENDPOINTS: undefined,
        ORDER_PORT: String(order),
        INVENTORY_PORT: String(inventory),
        BROKER_PORT: String(broker),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exited = new Promise<number | null>((resolve) => npm.once('close', resolve));
    return new DemoRun(copy, npm, `http://127.0.0.1:${order}`, `http://127.0.0.1:${inventory}`, exited);
  }

  async ready(): Promise<void> {
    await until('npm start prints its URLs', () => {
      if (this.npm.exitCode !== null) throw new Error('npm start ended early');
      return this.output.includes('Ctrl-C stops everything');
    }).catch((cause) => {
      throw new Error(`npm start is not ready; it printed:\n${this.output}`, { cause });
    });
  }

  /** The processes of this run: those that execute a file of the copy. */
  async processes(): Promise<{ pid: number; command: string }[]> {
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,stat=,args='], { maxBuffer: 16 * 1024 * 1024 });
    return stdout
      .split('\n')
      .map((line) => /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line))
      .filter((match) => match !== null && !match[2]?.startsWith('Z'))
      .map((match) => ({ pid: Number(match?.[1]), command: match?.[3] ?? '' }))
      .filter(({ command, pid }) => command.includes(this.copy) || pid === this.launcherPid);
  }

  /** The pid of `node … scripts/demo/start.ts`, whose command line does not name the copy. */
  private launcherPid: number | undefined;

  /** Finds the launcher below npm. */
  async launcher(): Promise<number> {
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=,args=']);
    const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/));
    let parents = new Set([String(this.npm.pid)]);
    while (parents.size > 0) {
      const children = rows.filter(([, parent]) => parents.has(parent ?? ''));
      const found = children.find(
        ([, , program, ...words]) => program === 'node' && words.at(-1) === 'scripts/demo/start.ts',
      );
      if (found !== undefined) {
        this.launcherPid = Number(found[0]);
        return this.launcherPid;
      }
      parents = new Set(children.map(([pid]) => pid ?? ''));
    }
    throw new Error('npm start has no launcher');
  }

  signalNpm(signal: NodeJS.Signals): void {
    this.npm.kill(signal);
  }

  /** Kills it, whatever its state, and waits until all its processes have ended. */
  async end(): Promise<void> {
    this.npm.kill('SIGTERM');
    for (const { pid } of await this.processes()) killQuietly(pid, 'SIGTERM');
    await until('nothing is left of npm start', async () => (await this.processes()).length === 0);
    await this.exited;
  }
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has ended since it was listed.
  }
}

export function removeTree(copy: string): void {
  rmSync(copy, { recursive: true, force: true, maxRetries: 3 });
}
