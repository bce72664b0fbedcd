// What the console knows of the cluster without asking for each page: its topics and groups, and the state of each group, sampled at a
// bounded rate and shared by all viewers. While nobody looks, nothing is asked.

import type { GroupDescription, GroupLag, ListedTopic, RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { CachedAnswer } from './cached-answer.js';
import { controllerForMany } from './controller-for-many.js';
import { type GroupSample, GroupSampler } from './group-sample.js';
import { LagHistory } from './lag-history.js';
import { LagTrend } from './lag-trend.js';
import { RoundDuration } from './round-duration.js';

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
  /** Durations. */
  readonly monotonicMs: () => number;
  /** The groups of this application, which are sampled first. */
  readonly ownGroups: () => readonly string[];
  /** Whether each sample asks the consumers for their subscriptions: a broker of a cluster may wait 10 s for one that cannot answer. */
  readonly comparesMembers: boolean;
}

const LISTS_MS = 15_000;
const LAG_MS = 5_000;
const MAX_LAGS = 1_000;
/** How often a group that is watched is sampled; the others take turns. */
const SAMPLE_MS = 10_000;
const TICK_MS = 1_000;
/** At most this many groups a second, whatever the number of viewers and groups: each costs some requests to each broker. */
const GROUPS_PER_TICK = 5;
/** Of them, for groups that are not watched. */
const OTHERS_PER_TICK = 1;
const MAX_WATCHED = 50;
/** Looks at a group that are further apart than this, and than three rounds, are not compared. */
const MAX_GAP_MS = 15 * 60_000;
/** A viewer that reloads the page should find what was known. */
const LINGER_MS = 60_000;
const CLOCKS_MS = 60_000;
/** Messages are due, and leases end, by the clock of the broker. */
const NOTABLE_SKEW_MS = 1_000;

export class ClusterWatch {
  private readonly samples = new Map<string, GroupSample>();
  /** When each was last looked at, as a duration. */
  private readonly looked = new Map<string, number>();
  private readonly trends = new Map<string, LagTrend>();
  private readonly histories = new Map<string, LagHistory>();
  private readonly pins = new Map<string, number>();
  private readonly lags = new Map<string, CachedAnswer<GroupLag>>();
  private viewers = 0;
  private lastViewedMs = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private turn = 0;
  private readonly round = new RoundDuration();
  /** The groups of the cluster, as they were last listed. */
  private existing: ReadonlySet<string> = new Set();
  private isSampling = false;
  private readonly ending = controllerForMany();
  private readonly sampler: GroupSampler;

  private readonly keptLists: CachedAnswer<ClusterLists>;
  private readonly keptSkew: CachedAnswer<readonly Skew[]>;

  constructor(private readonly options: WatchOptions) {
    const { monotonicMs } = options;
    const topics = async (): Promise<readonly ListedTopic[]> => (await this.lists()).topics;
    this.sampler = new GroupSampler({ ...options, topics, signal: this.ending.signal });
    this.keptLists = new CachedAnswer(() => this.readLists(), LISTS_MS, monotonicMs);
    this.keptSkew = new CachedAnswer(() => this.readSkew(), CLOCKS_MS, monotonicMs);
  }

  /** Someone looks. @returns to call when they leave */
  attach(): () => void {
    this.viewers++;
    if (this.timer === undefined) {
      this.timer = setInterval(() => void this.tick(), TICK_MS).unref();
      // The first viewer waits for the first groups.
      void this.tick();
    }
    let isThere = true;
    return () => {
      if (!isThere) return;
      isThere = false;
      this.viewers--;
      this.lastViewedMs = this.options.monotonicMs();
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
    return this.keptLists.read();
  }

  /** The brokers whose clocks differ, asked at most each minute. @throws the error of the cluster when no broker answers */
  skew(): Promise<readonly Skew[]> {
    return this.keptSkew.read();
  }

  /** The lag of a group, in one topic or all, asked at most every 5 s for all viewers. @throws the error of the cluster */
  lagOf(consumerGroup: string, topic?: string): Promise<GroupLag> {
    const { admin, monotonicMs } = this.options;
    const name = `${topic ?? ''}\n${consumerGroup}`;
    const ask = (): Promise<GroupLag> => admin.groupLag(consumerGroup, { topic, signal: this.ending.signal });
    if (this.lags.size >= MAX_LAGS) this.lags.clear();
    const kept = this.lags.get(name) ?? new CachedAnswer(ask, LAG_MS, monotonicMs);
    this.lags.set(name, kept);
    return kept.read();
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
    this.keptLists.forget();
    this.lags.clear();
  }

  sampleOf(consumerGroup: string): GroupSample | undefined {
    return this.samples.get(consumerGroup);
  }

  historyOf(consumerGroup: string): LagHistory | undefined {
    return this.histories.get(consumerGroup);
  }

  /** Looks at one group now. */
  async look(consumerGroup: string): Promise<GroupSample> {
    const beganMs = this.options.monotonicMs();
    this.looked.set(consumerGroup, beganMs);
    const { offsets, ...asked } = await this.sampler.read(consumerGroup, this.samples.get(consumerGroup));
    const trend = this.trends.get(consumerGroup) ?? new LagTrend();
    this.trends.set(consumerGroup, trend);
    if (asked.problem === undefined && offsets !== undefined)
      trend.add({ atMs: beganMs, lag: asked.lag, ...offsets }, this.longestGapMs);
    const { isGrowing, isMoving, rates } = trend;
    const sample = { ...asked, isGrowing, isMoving, rates };
    this.samples.set(consumerGroup, sample);
    if (sample.problem === undefined && this.watched().has(consumerGroup)) {
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
    // A slow cluster is not asked more while it answers.
    if (this.isSampling) return;
    if (this.viewers === 0 && this.options.monotonicMs() - this.lastViewedMs > LINGER_MS) {
      clearInterval(this.timer);
      this.timer = undefined;
      // The next viewer must not see old values as current ones.
      for (const known of [this.samples, this.looked, this.trends]) known.clear();
      this.round.reset();
      return;
    }
    this.isSampling = true;
    try {
      const { groups, problems } = await this.lists();
      const names = groups.map(({ consumerGroup }) => consumerGroup);
      this.existing = new Set(names);
      await Promise.all(this.due(names).map((group) => this.look(group)));
      // A broker that is away may have groups that no other has.
      if (problems.length === 0) this.forget(this.existing);
    } catch {
      // The pages report that the cluster does not answer; the next tick tries again.
    } finally {
      this.isSampling = false;
    }
  }

  /** Those that are watched, when their time has come; then the others in turn. */
  private due(all: readonly string[]): string[] {
    const nowMs = this.options.monotonicMs();
    const isStale = (group: string): boolean => {
      const atMs = this.looked.get(group);
      return atMs === undefined || nowMs - atMs >= SAMPLE_MS;
    };
    const watched = this.watched();
    // Those that waited longest first: more may be watched than can be looked at in time.
    const own = all
      .filter((group) => watched.has(group) && isStale(group))
      .sort((left, right) => (this.looked.get(left) ?? 0) - (this.looked.get(right) ?? 0));
    const due = own.slice(0, GROUPS_PER_TICK - OTHERS_PER_TICK);
    for (let turns = 0; turns < all.length && due.length < GROUPS_PER_TICK; turns++) {
      const index = this.turn % all.length;
      const group = all[index];
      this.turn++;
      if (index === 0) this.round.begin(nowMs);
      if (group !== undefined && isStale(group) && !due.includes(group)) due.push(group);
    }
    return due;
  }

  private watched(): ReadonlySet<string> {
    const own = this.options.ownGroups();
    const pinned = [...this.pins.keys()].filter((group) => this.existing.has(group));
    // A tab must not take the charts of the application's groups; of too many of those, it chooses.
    const chosen = pinned.filter((group) => own.includes(group));
    return new Set([...new Set([...chosen, ...own, ...pinned])].slice(0, MAX_WATCHED));
  }

  private get longestGapMs(): number {
    const minMs = (this.existing.size / OTHERS_PER_TICK) * TICK_MS;
    return Math.max(MAX_GAP_MS, 3 * Math.max(minMs, this.round.lastMs));
  }

  private forget(existing: ReadonlySet<string>): void {
    for (const known of [this.samples, this.looked, this.trends, this.histories])
      for (const group of known.keys()) if (!existing.has(group)) known.delete(group);
  }

  private async readSkew(): Promise<readonly Skew[]> {
    const { brokers } = await this.options.admin.brokerClocks({ signal: this.ending.signal });
    return brokers.flatMap(({ name, aheadMs = 0, errorMs }) =>
      Math.abs(aheadMs) > errorMs + NOTABLE_SKEW_MS ? [{ broker: name, skewMs: aheadMs }] : [],
    );
  }

  private async readLists(): Promise<ClusterLists> {
    const { signal } = this.ending;
    const { admin, nowMs } = this.options;
    const atMs = nowMs();
    const [{ topics, failures }, groups] = await Promise.all([
      admin.listTopics({ includeSystem: true, signal }),
      admin.listGroups({ signal }),
    ]);
    const problems = [...failures, ...groups.failures].map(({ name, error }) => `${name}: ${error.message}`);
    return { atMs, topics, groups: groups.groups, problems: [...new Set(problems)] };
  }
}
