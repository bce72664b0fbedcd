// Writes the project of templates/shop into a folder, and installs its packages.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { packageFolder, packageVersion } from '../schematics/package-folder.js';
import { quoted } from '../support/command-line.js';
import { describeError } from '../support/logger.js';
import { type CommandIo, PACKAGE_MANAGERS, wrongCall } from './command.js';

const INSTALL_TIMEOUT_MS = 10 * 60_000;
/** Published together, in one version. */
const OWN_PACKAGES = ['nestjs-rocketmq', 'nestjs-rocketmq-console'];

/** The parsed command line of a new project. */
export interface NewValues {
  readonly packageManager?: (typeof PACKAGE_MANAGERS)[number];
  readonly install: boolean;
}

/** @throws when the folder is not empty, or the packages cannot be installed; then the files are there */
export async function createProject(
  given: string,
  { packageManager, install }: NewValues,
  io: CommandIo,
): Promise<void> {
  const folder = resolve(given);
  const name = basename(folder).toLowerCase();
  if (!/^[a-z0-9][a-z0-9._-]{0,200}$/.test(name))
    throw wrongCall(`${JSON.stringify(given)} cannot be the name of a package: use letters, digits, "-", "_" and "."`);
  if ([...OWN_PACKAGES, 'node_modules'].includes(name))
    throw wrongCall(
      `${JSON.stringify(given)} cannot be the name of a project: package managers could not install what it depends on. Nothing was changed. Choose another folder.`,
    );
  assertEmpty(folder, given);
  writeProject(folder, name);
  io.out(`created ${name} in ${folder}\n`);
  const manager = packageManager ?? runningManager(io.env);
  const steps = [...(relative('', folder) === '' ? [] : [`cd ${quoted(given)}`])];
  if (install) {
    io.out(`installing its packages with ${manager}\n`);
    await installed(manager, folder, io).catch((error: unknown) => {
      const cure = [...steps, `${manager} install`].join(' && ');
      throw new Error(
        `Cannot install the packages of ${name}: ${describeError(error)}. Its files are complete. Repeat the installation with: ${cure}`,
      );
    });
  } else steps.push(`${manager} install`);
  steps.push(`${manager} start`);
  io.out(`\nNext:\n${steps.map((step) => `  ${step}\n`).join('')}`);
}

function assertEmpty(folder: string, given: string): void {
  const advice = 'Nothing was changed. Choose another folder.';
  try {
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return;
  } catch (error) {
    throw wrongCall(`Cannot use the folder ${given}: ${describeError(error)}. ${advice}`);
  }
  const target = statSync(folder, { throwIfNoEntry: false });
  if (target === undefined) throw wrongCall(`${given} is a symbolic link to nothing. ${advice}`);
  if (!target.isDirectory()) throw wrongCall(`${given} is a file. ${advice}`);
  const [first, ...others] = readdirSync(folder).filter((file) => file !== '.git');
  if (first === undefined) return;
  const content = others.length === 0 ? first : `${first} and ${others.length} more`;
  throw wrongCall(`The folder ${given} is not empty: it contains ${content}. ${advice}`);
}

function writeProject(folder: string, name: string): void {
  // The topmost folder that did not exist.
  let created: string | undefined;
  try {
    created = mkdirSync(folder, { recursive: true });
    cpSync(join(packageFolder(), 'templates', 'shop'), folder, { recursive: true });
    // npm would leave a file of that name out of the package.
    renameSync(join(folder, 'gitignore'), join(folder, '.gitignore'));
    const file = join(folder, 'package.json');
    const json = JSON.parse(readFileSync(file, 'utf8')) as { name: string; dependencies: Record<string, string> };
    json.name = name;
    for (const one of OWN_PACKAGES) json.dependencies[one] = `^${packageVersion()}`;
    writeFileSync(file, `${JSON.stringify(json, undefined, 2)}\n`);
    const readme = join(folder, 'README.md');
    writeFileSync(readme, readFileSync(readme, 'utf8').replace('# shop', `# ${name}`));
  } catch (error) {
    remove(created);
    throw new Error(`Cannot write the project: ${describeError(error)}`, { cause: error });
  }
}

/** The error that is reported is the one before: what cannot be removed either stays. */
function remove(created: string | undefined): void {
  if (created === undefined) return;
  try {
    rmSync(created, { recursive: true, force: true });
  } catch {
    // Reported already.
  }
}

/** npm, pnpm and yarn name themselves to the commands that they run. */
function runningManager(env: CommandIo['env']): (typeof PACKAGE_MANAGERS)[number] {
  const agent = env.npm_config_user_agent?.split('/')[0];
  return PACKAGE_MANAGERS.find((name) => name === agent) ?? 'npm';
}

async function installed(manager: string, folder: string, io: CommandIo): Promise<void> {
  const args = ['install', ...(manager === 'npm' ? ['--no-audit', '--no-fund'] : [])];
  // Not the option timeout of spawn(), whose timer outlives a command that does not exist.
  const late = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
  const child = spawn(manager, args, {
    cwd: folder,
    env: io.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: late,
    // On Windows, package managers are scripts, which only a shell runs. Nothing here comes from the user.
    shell: process.platform === 'win32',
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => io.out(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => io.err(text));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`${manager} install ended with ${signal ?? `exit code ${code}`}`);
}
