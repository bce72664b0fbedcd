// The Java processes of one run and its folder: started, awaited, killed, stopped together.

import { rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChildProcess, claimRunFolder, createRunFolder, noteRun, releaseRunFolder } from './child-processes.js';
import { RealServerError } from './jars.js';
import { type Certificate, JVM_FLAGS, tlsFlags } from './server-config.js';

const START_MS = 90_000;
const POLL_MS = 100;
const KEPT_STORE_GRACE_MS = 30_000;
const TAIL_LINES = 25;

/** What to start: a main class of Apache RocketMQ. */
interface JavaProgram {
  name: string;
  memory: string;
  mainClass: string;
  args: readonly string[];
  flags?: readonly string[];
  /** Whether its ports speak nothing but TLS; plaintext too unless given. */
  isTlsOnly?: boolean;
}

export class JavaRun {
  readonly version: string;
  readonly jars: string;
  readonly folder: string;
  /** Undefined: its processes create one each, for TLS beside plaintext. */
  readonly certificate: Certificate | undefined;
  /** Rejects with a RealServerError when a process ends by itself after its start; never resolves. */
  readonly failed: Promise<never>;

  /** Processes that are running, or ended unexpectedly. */
  #children = new Map<string, ChildProcess>();
  #isFolderKept;
  #fail: (error: Error) => void = () => {};

  /**
   * @param options without `runDir` a folder is made, and removed at stop; `certificate` can be made from the folder
   * @throws RealServerError when another run uses the folder
   */
  constructor({
    version,
    jars,
    runDir,
    certificate,
  }: {
    version: string;
    jars: string;
    runDir?: string | undefined;
    certificate?: Certificate | ((folder: string) => Certificate) | undefined;
  }) {
    this.version = version;
    this.jars = jars;
    this.#isFolderKept = runDir !== undefined;
    this.folder = runDir === undefined ? createRunFolder(runRoot()) : keptFolder(runDir);
    this.certificate = typeof certificate === 'function' ? certificate(this.folder) : certificate;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {});
  }

  /**
   * Starts a process and waits until it is ready.
   * @param what is awaited, for the error
   * @param signal gives the wait up
   * @throws RealServerError with the end of its output when it does not come up
   */
  async start(
    { name, memory, mainClass, args, flags = [], isTlsOnly = false }: JavaProgram,
    isReady: (child: ChildProcess) => Promise<boolean>,
    what: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const all = [
      ...memory.split(' '),
      ...JVM_FLAGS,
      ...flags,
      ...(this.certificate ? tlsFlags(this.certificate, isTlsOnly ? 'enforcing' : 'permissive') : []),
      `-Duser.home=${this.folder}`,
      // A server that is killed leaves a library of 12 MB and keys there.
      `-Djava.io.tmpdir=${this.folder}`,
      '-cp',
      join(this.jars, '*'),
    ];
    const child = new ChildProcess(name, 'java', [...all, mainClass, ...args], {
      logFile: join(this.folder, `${name}.log`),
      cwd: this.folder,
      env: { ...process.env, ROCKETMQ_HOME: join(this.folder, 'home') },
    });
    this.#children.set(name, child);
    this.#note();
    const endsAt = Date.now() + START_MS;
    while (!(await isReady(child))) {
      if (child.end !== undefined) throw this.#failure(child, 'at start');
      if (Date.now() > endsAt) throw this.#failure(child, `: ${START_MS / 1000} s passed, waiting for ${what}`);
      await sleep(POLL_MS, undefined, { signal });
    }
    void child.ended.then(() => {
      if (this.#children.get(name) === child) this.#fail(this.#failure(child, 'while it was in use'));
    });
  }

  /** Kills a process without a warning, as a lost machine would. */
  kill(name: string): Promise<void> {
    return this.#end(name, 0);
  }

  /** Asks a process to end in good order. */
  shutDown(name: string): Promise<void> {
    return this.#end(name, KEPT_STORE_GRACE_MS);
  }

  async #end(name: string, shutdownGraceMs: number): Promise<void> {
    const child = this.#children.get(name);
    this.#children.delete(name);
    await child?.stop({ shutdownGraceMs });
    this.#note();
  }

  /** Stops a process where it is, or lets it go on. */
  signal(name: string, signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#children.get(name)?.signal(signal);
  }

  /** A store that is kept is closed in good order, which takes some 15 s; one that is thrown away is not. */
  async stop(): Promise<void> {
    const shutdownGraceMs = this.#isFolderKept ? KEPT_STORE_GRACE_MS : 0;
    const children = [...this.#children.values()];
    this.#children.clear();
    // The last one first: a broker says goodbye to its name server.
    for (const child of children.reverse()) await child.stop({ shutdownGraceMs });
    releaseRunFolder(this.folder);
    if (!this.#isFolderKept) rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  #note(): void {
    noteRun(
      this.folder,
      [...this.#children.values()].flatMap((child) => child.pids),
    );
  }

  #failure(child: ChildProcess, when: string) {
    const how = child.end ?? 'is not ready';
    const what = `Apache RocketMQ ${this.version}: the process "${child.name}" ${how} ${when}`;
    return new RealServerError(`${what}. The end of its output:\n${child.tail(TAIL_LINES)}`);
  }
}

function runRoot(): string {
  return join(tmpdir(), `nestjs-rocketmq-${userInfo().uid}`);
}

function keptFolder(runDir: string): string {
  const folder = resolve(runDir);
  try {
    claimRunFolder(folder);
  } catch (cause) {
    throw new RealServerError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  return folder;
}
