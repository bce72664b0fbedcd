// Virtual time: events in one queue, processes that own them, and one source of randomness. The next event runs when all promises of the
// last one have settled, so that a seed has one history.
// Over 300 lines: all of them share the queue.

import { Chance } from './chance.js';

/** Node's original, before the machine replaces it. */
const realTurn = globalThis.setImmediate;

/** A simulated process. Its events end with it. */
export interface SimulatedProcess {
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  isDead: boolean;
  /** The deviation of its wall clock from true time. */
  wallOffsetMs: number;
  /** The process is paused until then: its events wait. */
  pausedUntilMs: number;
  /** The process is killed instead of having this many more external effects. */
  effectsLeft: number;
  /** Pending timers. */
  timers: number;
  readonly onDeath: Set<() => void>;
}

interface Event {
  atMs: number;
  order: number;
  readonly process: SimulatedProcess | undefined;
  run: (() => void) | undefined;
  /** Whether it counts as a timer of its process. */
  readonly isTimer: boolean;
}

/** The start of each simulation: 2026-01-01T00:00:00Z. */
const EPOCH_MS = 1_767_225_600_000;
/** Events per turn of the real event loop. Promises settle between any two events. */
const EVENTS_A_TURN = 64;
const MAX_DELAY_MS = 2 ** 31 - 1;

/** The run of one seed. */
export class Simulation {
  private readonly heap: Event[] = [];
  private nextOrder = 0;
  private nextPid = 100;
  private elapsedMs = 0;
  private running: SimulatedProcess | undefined;
  private hashA = 0x811c9dc5;
  private hashB = 0x9e3779b9;
  /** The number of events so far. */
  events = 0;
  /** Uncaught errors. */
  readonly uncaught: string[] = [];
  /** The randomness of the code under test, for ids and jitter. */
  readonly machineChance: Chance;
  readonly networkChance: Chance;
  /** Receives the history as text, if set. */
  trace: ((line: string) => void) | undefined;

  constructor(readonly seed: number) {
    this.machineChance = new Chance(seed ^ 0x51ed270b);
    this.networkChance = new Chance(seed ^ 0x2545f491);
  }

  /** True time since the start. */
  get nowMs(): number {
    return this.elapsedMs;
  }

  /** The wall clock of the running process. */
  get wallMs(): number {
    return EPOCH_MS + this.elapsedMs + (this.running?.wallOffsetMs ?? 0);
  }

  /** The running process; undefined for the simulation itself. */
  get current(): SimulatedProcess | undefined {
    return this.running;
  }

  /** The hash of the history. */
  get hash(): string {
    return [this.hashA, this.hashB].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('');
  }

  process(name: string, host: string): SimulatedProcess {
    return {
      name,
      host,
      pid: this.nextPid++,
      isDead: false,
      wallOffsetMs: 0,
      pausedUntilMs: 0,
      effectsLeft: Number.POSITIVE_INFINITY,
      timers: 0,
      onDeath: new Set(),
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

  /** Runs code as a process, immediately. */
  as<T>(process: SimulatedProcess, work: () => T): T {
    const before = this.running;
    this.running = process;
    try {
      return work();
    } finally {
      this.running = before;
    }
  }

  /** Schedules an event of a process, or of the environment if omitted. @returns a function that cancels it */
  at(atMs: number, process: SimulatedProcess | undefined, run: () => void): () => void {
    const event = this.push(Math.max(atMs, this.elapsedMs), process, run, false);
    return () => {
      event.run = undefined;
    };
  }

  /** Schedules a timer of the running process. */
  timer(delayMs: number, run: () => void): SimulatedTimer {
    return new SimulatedTimer(this, delayMs, run);
  }

  /** @internal */
  arm(delayMs: number, run: () => void): Event {
    const allowed = delayMs >= 1 && delayMs <= MAX_DELAY_MS ? Math.trunc(delayMs) : 1;
    if (this.running !== undefined) this.running.timers++;
    return this.push(this.elapsedMs + allowed, this.running, run, true);
  }

  /** @internal */
  disarm(event: Event): void {
    if (event.run === undefined) return;
    event.run = undefined;
    if (event.isTimer && event.process !== undefined) event.process.timers--;
  }

  /** Schedules an event after the current one, at the same time. */
  soon(run: () => void): Event {
    return this.push(this.elapsedMs, this.running, run, false);
  }

  /**
   * Must be called before the running process has an external effect.
   * @returns false if the process is dead and must not have the effect
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
    for (const notify of [...process.onDeath]) notify();
  }

  /** Advances time, event by event. @returns false if no events are left */
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

/** The return value of `setTimeout` and `setInterval`. */
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
