// Virtual time: events in one queue, processes that own them, and one source of chance. The next event runs when all promises of the
// last one have come to rest, so that a seed has one history.

import { Chance } from './chance.js';

/** Node's own, before the machine takes its place. */
const realTurn = globalThis.setImmediate;

/** A process of the simulated machines. What it has begun ends with it. */
export interface SimulatedProcess {
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  isDead: boolean;
  /** What its wall clock shows beside the true time. */
  wallOffsetMs: number;
  /** It stands still until then: its events wait. */
  pausedUntilMs: number;
  /** It dies instead of its so many-th next effect on the world. */
  effectsLeft: number;
  /** Timers that have neither fired nor been cancelled. */
  timers: number;
  readonly onDeath: Set<() => void>;
}

interface Event {
  atMs: number;
  order: number;
  readonly process: SimulatedProcess | undefined;
  run: (() => void) | undefined;
  /** Counted as a timer of its process. */
  readonly isTimer: boolean;
}

/** When each simulation begins: 2026-01-01T00:00:00Z. */
const EPOCH_MS = 1_767_225_600_000;
/** Events per turn of the real event loop. Promises come to rest between any two. */
const EVENTS_A_TURN = 64;
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** A run of one seed. */
export class Simulation {
  private readonly heap: Event[] = [];
  private nextOrder = 0;
  private nextPid = 100;
  private elapsedMs = 0;
  private running: SimulatedProcess | undefined;
  private hashA = 0x811c9dc5;
  private hashB = 0x9e3779b9;
  /** How many events have run. */
  events = 0;
  /** What went wrong where nobody could catch it. */
  readonly uncaught: string[] = [];
  /** For the code under test: ids, jitter. */
  readonly machineChance: Chance;
  readonly networkChance: Chance;
  /** Written when there is one, for people. */
  trace: ((line: string) => void) | undefined;

  constructor(readonly seed: number) {
    this.machineChance = new Chance(seed ^ 0x51ed270b);
    this.networkChance = new Chance(seed ^ 0x2545f491);
  }

  /** True time since the beginning. */
  get nowMs(): number {
    return this.elapsedMs;
  }

  /** The wall clock of the process that runs. */
  get wallMs(): number {
    return EPOCH_MS + this.elapsedMs + (this.running?.wallOffsetMs ?? 0);
  }

  /** Whose code runs; undefined for the simulation's own. */
  get current(): SimulatedProcess | undefined {
    return this.running;
  }

  /** Of all that has happened: equal for equal histories. */
  get hash(): string {
    return [this.hashA, this.hashB].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('');
  }

  process(name: string, host: string): SimulatedProcess {
    return {
      ...{ name, host, pid: this.nextPid++, isDead: false, wallOffsetMs: 0, pausedUntilMs: 0 },
      ...{ effectsLeft: Number.POSITIVE_INFINITY, timers: 0, onDeath: new Set() },
    };
  }

  /** Adds to the history. */
  note(what: number, text = ''): void {
    this.hashA = Math.imul(this.hashA ^ what, 0x01000193);
    this.hashB = Math.imul((this.hashB << 5) ^ (this.hashB >>> 27) ^ what, 0x85ebca6b);
    for (let index = 0; index < text.length; index++) {
      this.hashA = Math.imul(this.hashA ^ text.charCodeAt(index), 0x01000193);
    }
  }

  say(text: string): void {
    this.note(text.length, text);
    this.trace?.(
      `${(this.elapsedMs / 1000).toFixed(3).padStart(12)}  ${(this.running?.name ?? '').padEnd(14)} ${text}`,
    );
  }

  /** Runs code as a process, at once. */
  as<T>(process: SimulatedProcess, work: () => T): T {
    const before = this.running;
    this.running = process;
    try {
      return work();
    } finally {
      this.running = before;
    }
  }

  /** An event of a process; of none when left out: then it is the world's. @returns what takes it back */
  at(atMs: number, process: SimulatedProcess | undefined, run: () => void): () => void {
    const event = this.push(Math.max(atMs, this.elapsedMs), process, run, false);
    return () => {
      event.run = undefined;
    };
  }

  /** A timer of the process that runs. */
  timer(delayMs: number, run: () => void): SimulatedTimer {
    return new SimulatedTimer(this, delayMs, run);
  }

  /** @internal */
  arm(delayMs: number, run: () => void): Event {
    const allowed = delayMs >= 1 && delayMs <= LONGEST_DELAY_MS ? Math.trunc(delayMs) : 1;
    if (this.running !== undefined) this.running.timers++;
    return this.push(this.elapsedMs + allowed, this.running, run, true);
  }

  /** @internal */
  disarm(event: Event): void {
    if (event.run === undefined) return;
    event.run = undefined;
    if (event.isTimer && event.process !== undefined) event.process.timers--;
  }

  /** After this event, at the same time. */
  soon(run: () => void): Event {
    return this.push(this.elapsedMs, this.running, run, false);
  }

  /**
   * Says that the process that runs is about to change something outside of itself.
   * @returns false when it is dead: then it must not
   */
  effect(): boolean {
    const { running } = this;
    if (running === undefined) return true;
    if (!running.isDead && --running.effectsLeft < 0) this.kill(running);
    return !running.isDead;
  }

  kill(process: SimulatedProcess): void {
    if (process.isDead) return;
    process.isDead = true;
    this.say(`${process.name} dies`);
    for (const tell of [...process.onDeath]) tell();
  }

  /** Moves time on, event by event, until then. @returns false when nothing is left to happen */
  run(untilMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      let isOver = false;
      const end = (isLeft: boolean): void => {
        isOver = true;
        this.running = undefined;
        resolve(isLeft);
      };
      const step = (): void => {
        if (isOver) return;
        const event = this.take(untilMs);
        if (event === 'later') this.elapsedMs = Math.max(this.elapsedMs, untilMs);
        if (event === 'later' || event === undefined) end(event === 'later');
        else this.fire(event);
      };
      const turn = (): void => {
        for (let count = 0; count < EVENTS_A_TURN; count++) realTurn(step);
        realTurn(() => {
          if (!isOver) turn();
        });
      };
      turn();
    });
  }

  private fire(event: Event): void {
    const { run, process } = event;
    event.run = undefined;
    if (event.isTimer && process !== undefined) process.timers--;
    this.running = process;
    this.events++;
    this.note(event.order);
    this.note(Math.round(event.atMs * 1000));
    try {
      run?.();
    } catch (error) {
      this.uncaught.push(`${process?.name ?? 'the world'}: ${String((error as Error).stack ?? error)}`);
    }
  }

  private take(untilMs: number): Event | 'later' | undefined {
    for (let event = this.heap[0]; event !== undefined; event = this.heap[0]) {
      if (event.run === undefined || event.process?.isDead === true) {
        this.pop();
        continue;
      }
      if (event.atMs > untilMs) return 'later';
      this.pop();
      const wakesAtMs = event.process?.pausedUntilMs ?? 0;
      if (wakesAtMs > event.atMs) {
        event.atMs = wakesAtMs;
        event.order = this.nextOrder++;
        this.sift(event);
        continue;
      }
      this.elapsedMs = event.atMs;
      return event;
    }
    return undefined;
  }

  private push(atMs: number, process: SimulatedProcess | undefined, run: () => void, isTimer: boolean): Event {
    const event = { atMs, order: this.nextOrder++, process, run, isTimer };
    this.sift(event);
    return event;
  }

  private sift(event: Event): void {
    const { heap } = this;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above] as Event;
      if (!isBefore(event, parent)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Event, heap[below] as Event)) below++;
      if (!isBefore(heap[below] as Event, last)) break;
      heap[index] = heap[below] as Event;
      index = below;
    }
    heap[index] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs === other.atMs ? one.order < other.order : one.atMs < other.atMs;
}

/** What `setTimeout` and `setInterval` return. */
export class SimulatedTimer {
  private event: Event;

  constructor(
    private readonly simulation: Simulation,
    private readonly delayMs: number,
    private readonly callback: () => void,
  ) {
    this.event = simulation.arm(delayMs, callback);
  }

  cancel(): void {
    this.simulation.disarm(this.event);
  }

  refresh(): this {
    this.cancel();
    this.event = this.simulation.arm(this.delayMs, this.callback);
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}
