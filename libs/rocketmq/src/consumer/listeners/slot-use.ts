// What an instance has of the slots of its group, and how much of it is in use. It knows no clock and no store.

/** The limit of a listener. */
export interface SlotLimit {
  /** The listener, for errors. */
  readonly name: string;
  /** How many handlers may run at once over all instances. */
  readonly most: number;
  /** What the instance allows itself: a slot is for a handler, and for as many messages as one has. */
  readonly local: { readonly concurrency: number; readonly messagesEach: number };
}

/** Counts slots, the messages in them, and the batches that run. */
export class SlotUse {
  /** Until this instance gives some back. */
  private count = 0;
  /** More than these are not used: others wait for the rest. */
  private allowed = 0;
  /** Until an answer says what it has, it uses no more than it has said that it keeps. */
  private kept: number | undefined;
  /** Messages that were set aside and have not ended. */
  private used = 0;
  /** Batches that run, or are about to. */
  private runs = 0;
  private waitingRuns = 0;
  /** The most slots in use since the last answer. */
  private peak = 0;
  private readonly watchers = new Set<() => void>();

  constructor(private readonly limit: SlotLimit) {}

  /** Whether it has any. */
  get hasAny(): boolean {
    return this.count > 0;
  }

  /** Whether it may use any. */
  get mayUseAny(): boolean {
    return this.allowed > 0;
  }

  get inUse(): number {
    return Math.max(this.runs, Math.ceil(this.used / this.limit.local.messagesEach));
  }

  /** How many messages may be set aside; less than 0 when others wait for what is in use. */
  get room(): number {
    return Math.min(this.allowed, this.kept ?? this.allowed) * this.limit.local.messagesEach - this.used;
  }

  /** Whether it has some that are not in use, and for which others wait. */
  get hasSurplus(): boolean {
    return this.count > Math.max(this.allowed, this.inUse);
  }

  /** Whether more would be of any use here. */
  get lacks(): boolean {
    return this.allowed < this.maxHere;
  }

  /** Whether the limit of the group allows less than that of the instance. */
  get isHeldBack(): boolean {
    return this.allowed < this.limit.local.concurrency;
  }

  get hasWaitingRuns(): boolean {
    return this.waitingRuns > 0;
  }

  /** How many it can use now, in total. */
  get needed(): number {
    return Math.min(this.maxHere, Math.max(this.inUse, this.runs + this.waitingRuns));
  }

  /** One more than it has had in use, so that polls have room. */
  get enough(): number {
    return Math.min(this.maxHere, Math.max(this.peak, this.needed) + 1);
  }

  /** Twice as many as it has, and what it can use now. */
  get more(): number {
    return Math.min(this.maxHere, Math.max(this.needed, this.inUse + 1, 2 * this.count));
  }

  /** The most that are of any use here. */
  get maxHere(): number {
    return Math.min(this.limit.most, this.limit.local.concurrency);
  }

  /** Sets a message aside if there is room. */
  take(): boolean {
    if (this.room <= 0) return false;
    this.used++;
    this.peak = Math.max(this.peak, this.inUse);
    return true;
  }

  end(): void {
    this.used--;
  }

  /** Before a request. @returns how many it keeps, until {@link hold} */
  keep(wanted: number): number {
    this.kept = Math.max(this.inUse, Math.min(this.count, this.allowed, wanted));
    return this.kept;
  }

  /** The answer. Without one, the store may have less than before, but what was kept. */
  hold({ count, allowed }: { readonly count: number; readonly allowed: number } = this.least): void {
    this.count = count;
    this.allowed = allowed;
    this.kept = undefined;
    this.peak = this.inUse;
  }

  private get least(): { readonly count: number; readonly allowed: number } {
    const { kept = 0 } = this;
    return { count: Math.min(this.count, kept), allowed: Math.min(this.allowed, kept) };
  }

  lose(): void {
    this.count = 0;
    this.allowed = 0;
  }

  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => void this.watchers.delete(changed);
  }

  changed(): void {
    for (const changed of [...this.watchers]) changed();
  }

  /** Waits for the slot of a batch, whose messages have been set aside. @param mayRun asks for slots, too, if it may not */
  async run(mayRun: () => boolean, ended: () => void): Promise<() => void> {
    this.waitingRuns++;
    while (!mayRun()) {
      await new Promise<void>((resolve) => {
        const unwatch = this.watch(() => {
          unwatch();
          resolve();
        });
      });
    }
    this.waitingRuns--;
    this.runs++;
    return () => {
      this.runs--;
      ended();
    };
  }

  /** Whether a batch has a slot: what has joined it has one, also when it is to be given back. */
  get hasRun(): boolean {
    return this.runs < Math.min(this.count, this.kept ?? this.count);
  }
}
