// Runs a stage of the gate, and counts what passes and fails.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tools } from '../check.js';
import { contractCasesOf, countsOf, readResults, type SuiteCounts, slowestOf } from './counts.js';
import type { Command, Stage } from './stages.js';

const root = join(import.meta.dirname, '../..');
const KILL_AFTER_MS = 30_000;
const TAIL_LINES = 100;

type Ended = { readonly code: number | null; readonly isLate: boolean };

export class Gate {
  constructor(
    private readonly tools: Tools,
    private readonly maxMs: number,
  ) {}

  async run(stage: Stage): Promise<SuiteCounts> {
    switch (stage.kind) {
      case 'commands':
        return this.commands(stage);
      case 'suite':
        return this.suite(stage);
      case 'cases':
        return this.cases(stage);
      case 'same-contract':
        return this.sameContract();
    }
  }

  private async commands({ name, commands }: Stage & { kind: 'commands' }): Promise<SuiteCounts> {
    const names = await Promise.all(
      commands.map(async (command, index) => {
        const log = index === 0 ? name : `${name}-${index + 1}`;
        const { code, isLate } = await this.start(command, {}, log);
        if (code === 0) return [];
        const how = isLate ? 'did not end' : `exit code ${code}`;
        this.showEnd(log, how);
        return [how];
      }),
    );
    const bad = names.flat();
    return bad.length === 0 ? { passed: 1, failed: 0, names: [] } : { passed: 0, failed: 1, names: bad };
  }

  /** A file that failed runs once more, alone: what passes then is named as such at the end. */
  private async suite({ name, command, env = {}, node }: Stage & { kind: 'suite' }): Promise<SuiteCounts> {
    const folder = node === undefined ? undefined : await this.newerNode(node);
    if (node !== undefined && folder === undefined) {
      this.tools.print(`no Node.js ${node} can be had here: nothing ran on it`);
      return { passed: 0, failed: 0, names: [] };
    }
    const path = folder === undefined ? {} : { PATH: `${folder}:${process.env.PATH}` };
    const once = (file: string, ...more: readonly string[]) => {
      const args = [...more, '--json', `--outputFile=${this.path(`${file}.json`)}`];
      return this.start([...command, ...args], { ...env, ...path }, file);
    };
    let ended = await once(name);
    const rerun = `${name}.again`;
    if (ended.isLate) this.showEnd(name, 'did not end');
    else if (ended.code !== 0) {
      this.tools.print(`== ${name}: what failed, once more`);
      ended = await once(rerun, '--onlyFailures');
      if (ended.code !== 0) for (const log of [name, rerun]) this.showEnd(log, 'failed');
    }
    const [first, second] = [name, rerun]
      .map((one) => this.path(`${one}.json`))
      .map((file) => (existsSync(file) ? readResults(file) : undefined));
    if (first === undefined) return { passed: 0, failed: 1, names: ['has died before it counted its tests'] };
    for (const line of slowestOf(first)) this.tools.print(line);
    return withDeath(countsOf(first, second), ended);
  }

  /** One that passes when it runs once more counts as one failure. */
  private async cases({ name, command }: Stage & { kind: 'cases' }): Promise<SuiteCounts> {
    const names: string[] = [];
    let log = name;
    let ended = await this.start(command, {}, log);
    let unsteady = 0;
    if (ended.code !== 0) {
      this.showEnd(log, ended.isLate ? 'did not end' : 'failed');
      names.push(...failuresIn(this.read(log)));
      if (!ended.isLate) {
        this.tools.print(`== ${name}: once more`);
        log = `${name}.again`;
        ended = await this.start(command, {}, log);
        if (ended.code === 0) {
          unsteady = 1;
          names.push('passed when it ran once more');
        } else {
          this.showEnd(log, 'failed');
          names.push(...failuresIn(this.read(log)));
        }
      }
    }
    const [, passed = '0', failed = '1'] = /^(\d+) passed, (\d+) failed$/.exec(lastLine(this.read(log))) ?? [];
    return withDeath({ passed: Number(passed), failed: Number(failed) + unsteady, names }, ended);
  }

  private sameContract(): SuiteCounts {
    const [embedded = [], real = []] = ['tests', 'rocketmq'].map((name) => {
      const file = this.path(`${name}.json`);
      return existsSync(file) ? contractCasesOf(readResults(file)) : [];
    });
    this.tools.print(`contract cases: ${embedded.length} on the embedded broker, ${real.length} on the real server`);
    const isSame = embedded.length > 0 && embedded.join('\n') === real.join('\n');
    return isSame ? { passed: 1, failed: 0, names: [] } : { passed: 0, failed: 1, names: ['they are not the same'] };
  }

  /** Puts another release of Node.js, from the package registry, into a folder of this run. */
  private async newerNode(major: number): Promise<string | undefined> {
    const folder = this.path(`node-${major}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{}');
    const args = ['--prefix', folder, '--no-audit', '--no-fund', '--silent', `node@${major}`];
    const { code } = await this.start(['npm', 'install', ...args], {}, `node-${major}`);
    return code === 0 ? join(folder, 'node_modules', 'node', 'bin') : undefined;
  }

  /**
   * Runs a command in a process group of its own, which ends with it, when its time is over or the gate is stopped.
   * @param log the name of the log with what it prints
   */
  private start([program, ...args]: Command, env: NodeJS.ProcessEnv, log: string): Promise<Ended> {
    const file = openSync(this.pathOfLog(log), 'w');
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['ignore', file, file],
    });
    closeSync(file);
    let isLate = false;
    let killer: NodeJS.Timeout | undefined;
    const end = () => {
      signalGroup(child.pid, 'SIGTERM');
      killer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS);
    };
    const limit = setTimeout(() => {
      isLate = true;
      end();
    }, this.maxMs);
    this.tools.signal.addEventListener('abort', end, { once: true });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => {
        clearTimeout(limit);
        clearTimeout(killer);
        this.tools.signal.removeEventListener('abort', end);
        resolve({ code, isLate });
      });
    });
  }

  private path(name: string): string {
    return join(this.tools.folder, name);
  }

  private pathOfLog(name: string): string {
    return this.path(`${name}.log`);
  }

  private read(log: string): string {
    return readFileSync(this.pathOfLog(log), 'utf8');
  }

  private showEnd(log: string, how: string): void {
    this.tools.print(this.read(log).trimEnd().split('\n').slice(-TAIL_LINES).join('\n'));
    this.tools.print(`== ${log}: ${how}`);
  }
}

/** What fails without a failed test has died, or has left something open. */
function withDeath(counts: SuiteCounts, { code, isLate }: Ended): SuiteCounts {
  if (code === 0 || counts.failed > 0) return counts;
  const name = isLate ? 'did not end' : `no test failed, and yet: exit code ${code}`;
  return { ...counts, failed: 1, names: [...counts.names, name] };
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

/** What a check says of its cases that failed. */
function failuresIn(text: string): readonly string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) =>
    line.startsWith('FAILED') ? lines.slice(index, index + 5).map((one) => one.slice(0, 300)) : [],
  );
}
