// What the console knows of the cluster without asking for each page: its topics and groups, and the state of each group, sampled at a
// bounded rate and shared by all viewers. While nobody looks, nothing is asked.

import type { GroupDescription, ListedTopic, RocketMQAdmin, SubscriptionDifference } from 'nestjs-rocketmq/admin';
import { endingOfMany } from './ending.js';
import { LagHistory } from './lag-history.js';

/** How a group stood when it was last looked at. */
interface GroupSample {
  readonly consumerGroup: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly lag: bigint;
  /** Of the lag: messages that wait for redelivery. */
  readonly retries: bigint;
  readonly deadLetters: bigint;
  /** Undefined when it could not be asked. */
  readonly consumers: number | undefined;
  /** The topics for which its consumers have different subscriptions; empty when they agree, or cannot be compared. */
  readonly differing: readonly DifferingTopic[];
  /** Why the sample is not complete; undefined when it is. */
  readonly problem: string | undefined;
}

/** Consumers of one group must have the same subscriptions. */
interface DifferingTopic {
  readonly consumerGroup: string;
  readonly topic: string;
  readonly text: string;
}

/** A broker whose clock differs from that of this machine. */
interface Skew {
  readonly broker: string;
  /** Negative when it is behind. */
  readonly skewMs: number;
}

/** The lists of the cluster, and when they were read. */
interface ClusterLists {
  readonly atMs: number;
  readonly topics: readonly ListedTopic[];
  readonly groups: readonly GroupDescription[];
  /** Brokers that did not answer, as text. */
  readonly problems: readonly string[];
}

interface WatchOptions {
  readonly admin: Pick<
    RocketMQAdmin,
    'listTopics' | 'listGroups' | 'groupLag' | 'groupClients' | 'topicOffsets' | 'brokerClocks'
  >;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** The groups of this application, which are sampled first. */
  readonly ownGroups: () => readonly string[];
  /** Whether each sample asks the consumers for their subscriptions: a broker of a cluster may wait 10 s for one that cannot answer. */
  readonly comparesMembers: boolean;
}

const DEAD_LETTERS = '%DLQ%';
const LISTS_MS = 15_000;
/** How often a group that is watched is sampled; the others take turns. */
const SAMPLE_MS = 10_000;
const TICK_MS = 1_000;
/** At most this many groups a second, whatever the number of viewers and groups: each costs some requests to each broker. */
const GROUPS_PER_TICK = 5;
const MOST_WATCHED = 50;
/** A viewer that reloads the page should find what was known. */
const LINGER_MS = 60_000;
const CLOCKS_MS = 60_000;
/** Messages are due, and leases end, by the clock of the broker. */
const NOTABLE_SKEW_MS = 1_000;

export class ClusterWatch {
  private readonly samples = new Map<string, GroupSample>();
  private readonly histories = new Map<string, LagHistory>();
  private readonly pins = new Map<string, number>();
  private viewers = 0;
  private lastViewedMs = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private cached: { readonly atMs: number; readonly lists: Promise<ClusterLists> } | undefined;
  private clocks: { readonly atMs: number; readonly skew: Promise<readonly Skew[]> } | undefined;
  private turn = 0;
  private isSampling = false;
  private readonly ending = endingOfMany();

  constructor(private readonly options: WatchOptions) {}

  /** Someone looks. @returns to call when they leave */
  attach(): () => void {
    this.viewers++;
    // The first viewer waits for the first groups.
    if (this.timer === undefined) void this.tick();
    this.timer ??= setInterval(() => void this.tick(), TICK_MS).unref();
    let isThere = true;
    return () => {
      if (!isThere) return;
      isThere = false;
      this.viewers--;
      this.lastViewedMs = this.options.nowMs();
    };
  }

  /** Samples a group as often as those of this application while somebody looks at it. @returns to call when they leave */
  pin(consumerGroup: string): () => void {
    this.pins.set(consumerGroup, (this.pins.get(consumerGroup) ?? 0) + 1);
    let isPinned = true;
    return () => {
      if (!isPinned) return;
      isPinned = false;
      const left = (this.pins.get(consumerGroup) ?? 1) - 1;
      if (left === 0) this.pins.delete(consumerGroup);
      else this.pins.set(consumerGroup, left);
    };
  }

  /** The topics and groups, read at most every 15 s. @throws the error of the cluster when no broker answers */
  lists(): Promise<ClusterLists> {
    const nowMs = this.options.nowMs();
    if (this.cached === undefined || nowMs - this.cached.atMs >= LISTS_MS) {
      const lists = this.readLists(nowMs);
      this.cached = { atMs: nowMs, lists };
      // A failure is asked again by the next page.
      lists.catch(() => {
        if (this.cached?.lists === lists) this.cached = undefined;
      });
    }
    return this.cached.lists;
  }

  /** The brokers whose clocks differ, asked at most each minute. @throws the error of the cluster when no broker answers */
  skew(): Promise<readonly Skew[]> {
    const nowMs = this.options.nowMs();
    if (this.clocks === undefined || nowMs - this.clocks.atMs >= CLOCKS_MS) {
      const skew = this.readSkew();
      this.clocks = { atMs: nowMs, skew };
      skew.catch(() => {
        if (this.clocks?.skew === skew) this.clocks = undefined;
      });
    }
    return this.clocks.skew;
  }

  get comparesMembers(): boolean {
    return this.options.comparesMembers;
  }

  /** How old the sample of a watched group is at most. */
  get sampleMs(): number {
    return SAMPLE_MS;
  }

  isOwn(consumerGroup: string): boolean {
    return this.options.ownGroups().includes(consumerGroup);
  }

  /** After a change, so that the page that follows shows it. */
  forgetLists(): void {
    this.cached = undefined;
  }

  sampleOf(consumerGroup: string): GroupSample | undefined {
    return this.samples.get(consumerGroup);
  }

  historyOf(consumerGroup: string): LagHistory | undefined {
    return this.histories.get(consumerGroup);
  }

  /** Looks at one group now. */
  async look(consumerGroup: string): Promise<GroupSample> {
    const sample = await this.sampled(consumerGroup);
    this.samples.set(consumerGroup, sample);
    if (sample.problem === undefined && this.isWatched(consumerGroup)) {
      const history = this.histories.get(consumerGroup) ?? new LagHistory();
      this.histories.set(consumerGroup, history);
      history.add({ atMs: sample.atMs, lag: sample.lag, deadLetters: sample.deadLetters });
    }
    return sample;
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.ending.abort(new Error('the console is closed'));
  }

  private async tick(): Promise<void> {
    if (this.viewers === 0 && this.options.nowMs() - this.lastViewedMs > LINGER_MS) {
      clearInterval(this.timer);
      this.timer = undefined;
      return;
    }
    // A slow cluster is not asked more while it answers.
    if (this.isSampling) return;
    this.isSampling = true;
    try {
      const { groups } = await this.lists();
      const due = this.due(groups.map(({ consumerGroup }) => consumerGroup));
      await Promise.all(due.map((group) => this.look(group)));
      this.forget(new Set(groups.map(({ consumerGroup }) => consumerGroup)));
    } catch {
      // The pages report that the cluster does not answer; the next tick tries again.
    } finally {
      this.isSampling = false;
    }
  }

  /** Those that are watched, when their time has come; then the others in turn. */
  private due(all: readonly string[]): string[] {
    const nowMs = this.options.nowMs();
    const due = all
      .filter((group) => this.isWatched(group))
      .filter((group) => nowMs - (this.samples.get(group)?.atMs ?? 0) >= SAMPLE_MS)
      .slice(0, GROUPS_PER_TICK);
    for (let looked = 0; looked < all.length && due.length < GROUPS_PER_TICK; looked++) {
      const group = all[this.turn % all.length];
      this.turn++;
      const isFresh = group !== undefined && nowMs - (this.samples.get(group)?.atMs ?? 0) < SAMPLE_MS;
      if (group !== undefined && !isFresh && !due.includes(group)) due.push(group);
    }
    return due;
  }

  private isWatched(group: string): boolean {
    const watched = [...this.pins.keys(), ...this.options.ownGroups()].slice(0, MOST_WATCHED);
    return watched.includes(group);
  }

  private forget(existing: ReadonlySet<string>): void {
    for (const known of [this.samples, this.histories])
      for (const group of known.keys()) if (!existing.has(group)) known.delete(group);
  }

  private async sampled(consumerGroup: string): Promise<GroupSample> {
    const { admin, nowMs } = this.options;
    const { signal } = this.ending;
    const nothing = {
      ...{ consumerGroup, atMs: nowMs(), lag: 0n, retries: 0n, deadLetters: 0n, consumers: undefined },
      differing: [],
    };
    try {
      const [lag, clients, dead] = await Promise.all([
        admin.groupLag(consumerGroup, { signal }),
        admin.groupClients(consumerGroup, { signal, compareMembers: this.options.comparesMembers }),
        this.deadLettersOf(consumerGroup),
      ]);
      const away = [...lag.failures, ...clients.failures].map(({ name }) => name);
      return {
        ...nothing,
        lag: lag.lag,
        retries: lag.topics.reduce((sum, { retries }) => sum + retries, 0n),
        deadLetters: dead,
        consumers: clients.clients.length,
        differing: (clients.differences ?? []).map((one) => ({
          consumerGroup,
          topic: one.topic,
          text: textOf(one),
        })),
        problem: away.length === 0 ? undefined : `${[...new Set(away)].join(', ')} did not answer`,
      };
    } catch (error) {
      return { ...nothing, problem: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Only of a dead letter queue that exists: most groups have none. */
  private async deadLettersOf(consumerGroup: string): Promise<bigint> {
    const name = DEAD_LETTERS + consumerGroup;
    const { topics } = await this.lists();
    if (!topics.some(({ topic }) => topic === name)) return 0n;
    return (await this.options.admin.topicOffsets(name, { signal: this.ending.signal })).total;
  }

  private async readSkew(): Promise<readonly Skew[]> {
    const { brokers } = await this.options.admin.brokerClocks({ signal: this.ending.signal });
    return brokers.flatMap(({ name, aheadMs = 0, errorMs }) =>
      Math.abs(aheadMs) > errorMs + NOTABLE_SKEW_MS ? [{ broker: name, skewMs: aheadMs }] : [],
    );
  }

  private async readLists(atMs: number): Promise<ClusterLists> {
    const { signal } = this.ending;
    const { admin } = this.options;
    const [{ topics, failures }, groups] = await Promise.all([
      admin.listTopics({ includeSystem: true, signal }),
      admin.listGroups({ signal }),
    ]);
    const problems = [...failures, ...groups.failures].map(({ name, error }) => `${name}: ${error.message}`);
    return { atMs, topics, groups: groups.groups, problems: [...new Set(problems)] };
  }
}

function textOf({ members }: SubscriptionDifference): string {
  const each = members.map(
    ({ clientId, subscription }) => `${clientId}: ${subscription?.expression ?? 'not subscribed'}`,
  );
  return each.join('; ');
}
