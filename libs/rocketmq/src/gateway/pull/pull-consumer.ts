// The consumer of brokers that hand out nothing by POP: the members of the group divide the queues among themselves, and each pulls its own. A broadcast
// pulls all queues of all brokers.
// Over 300 lines: who has a queue, what is in hand of it and what becomes of it end together.
// It answers polls and settlements from what it has pulled. @see DefaultMQPushConsumer of the Java client

import type { Status, Message as WireMessage } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { HeldUpQueue } from '../../protocol/grpc/session-message.js';
import type { RemotingClient } from '../../remoting/remoting-client.js';
import type { Abortable } from '../../support/abort-source.js';
import { SystemClock, sleep } from '../../support/clock.js';
import { type Deadline, monotonicMs, withNotedEffects } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { DelayLevels } from '../delay-levels.js';
import type { GroupSettings } from '../group-settings.js';
import type { Poll } from '../popped-messages.js';
import type { Topics } from '../topics.js';
import { keyOf, type PulledQueue } from './allocation.js';
import type { BroadcastPositions } from './broadcast-positions.js';
import { GroupBalance, type Share } from './group-balance.js';
import { Handout } from './handout.js';
import { type Membership, membershipOf, type PulledSubscription, type PullSessions } from './membership.js';
import { PulledSettling } from './pulled-settling.js';
import { QueueHistory } from './queue-history.js';
import { type PullerPort, QueuePuller } from './queue-puller.js';
import type { PulledQueueReport } from './queue-report.js';
import { Strays } from './strays.js';

interface PullConsumerPort {
  readonly clientId: string;
  readonly client: RemotingClient;
  readonly delayLevels: DelayLevels;
  readonly topics: Pick<Topics, 'route' | 'addressOf'>;
  readonly logger: Logger;
  /** The positions of a broadcast; undefined for a member of a group. */
  readonly broadcast: BroadcastPositions | undefined;
  /** With the brokers that are pulled from. */
  sessions(): PullSessions;
  /** Called with handles whose messages, received from the broker at an address, another consumer may handle. */
  onLost(address: string, handles: readonly string[]): void;
  /**
   * Called with all queues that are held up, again and again while there are some, and with none when there are no more, until it is taken.
   * @returns whether it is: while a broker is away, so may be who listens
   */
  onHeldUp(queues: readonly HeldUpQueue[]): boolean;
}

/** What was settled since is what a crash repeats. */
const COMMIT_MS = 1_000;
/** How long the broker may take to store what nobody waits for. */
const SEND_BACK_MS = 3_000;
/** So long nothing was done: other members may have divided the queues meanwhile. */
const STANDSTILL_MS = 5_000;
const EVERYTHING: PulledSubscription = { expression: '*', type: 'TAG' };

/** The pulled queues of one client. */
export class PullConsumer {
  /** By the key of the queue. */
  private readonly pullers = new Map<string, QueuePuller>();
  /** Also those that end. */
  private readonly byOwnership = new Map<number, QueuePuller>();
  private readonly ending = new Map<string, Promise<void>>();
  /** Those that ended because their broker was away, until it has divided the queues again. */
  private readonly cutOff = new Map<string, QueuePuller>();
  /** Addresses of brokers that list the client as a member until it is gone. */
  private readonly left = new Set<string>();
  /** When the broker was asked that said last that the queue is this client's. */
  private readonly confirmed = new WeakMap<QueuePuller, number>();
  /** Whether the client may still know of queues that are held up. */
  private isHeldUp = false;
  private tickedAtMs = 0;
  private stoodStillUntilMs = 0;
  /** What is sent back of a queue, and nobody waits for. */
  private readonly working = new WeakMap<QueuePuller, Promise<void>>();
  private readonly strays: Strays;
  private readonly stopping = new AbortController();
  private readonly ioClock = new SystemClock();
  private readonly balance: GroupBalance;
  private readonly handout: Handout;
  /** What becomes of the messages. */
  readonly settling: PulledSettling;
  private ownerships = 0;
  private running: Promise<unknown> | undefined;

  constructor(private readonly port: PullConsumerPort) {
    const isBroadcast = port.broadcast !== undefined;
    this.balance = new GroupBalance({
      ...port,
      isBroadcast,
      sessions: () => port.sessions(),
      onWatched: (topics) => this.watch(topics),
      onShare: (topic, share) => this.own(topic, share),
    });
    this.handout = new Handout({
      pullers: () => this.pullers.values(),
      handleOf: (puller, { offset, delivery }) => this.settling.handleOf(puller, offset, delivery),
      maxAttempts: (puller) => this.groupAt(puller)?.maxAttempts ?? Number.POSITIVE_INFINITY,
      onExhausted: (puller, offset) => {
        const what = `dead letter of "${this.membership.consumerGroup}"`;
        this.inBackground(puller, what, (deadline) => this.settling.bury(puller, offset, deadline));
      },
    });
    this.settling = new PulledSettling({
      ...port,
      isBroadcast,
      consumerGroup: () => this.membership.consumerGroup,
      addressOf: (puller) => this.addressOf(puller),
      groupOf: (puller) => this.groupAt(puller),
      pullerOf: (ownership) => this.byOwnership.get(ownership),
      onPostponed: (atMs) => this.handout.passAt(atMs),
      onReady: () => this.handout.serve(),
    });
    this.strays = new Strays({
      logger: port.logger,
      membership: () => this.membership,
      putOff: (puller, message) => {
        const what = `put-off retry of "${this.membership.consumerGroup}"`;
        this.inBackground(puller, what, (deadline) => this.settling.putOff(puller, message, deadline));
      },
    });
  }

  /** Members may have come or left, or subscriptions or routes have changed. */
  balanceSoon(): void {
    this.balance.soon();
  }

  /** The connection to the broker at an address was lost, and there is another one. */
  doubtLocks(address: string): void {
    for (const puller of this.pullers.values()) if (this.addressOf(puller) === address) puller.doubtLock();
  }

  /** See {@link Handout.receive}. */
  receive(poll: Poll, count: number, waitMs: number, end: Abortable): Promise<readonly WireMessage[]> {
    const stopping = this.stopping.signal;
    this.running ??= Promise.all([this.balance.run(stopping), this.commitLoop(stopping)]);
    return this.handout.receive(poll, count, waitMs, end);
  }

  /** Why nothing comes from a broker; undefined when something could. */
  problemAt(brokerName: string): Status | undefined {
    for (const { name, problem } of this.pullers.values()) {
      if (name.brokerName === brokerName && problem !== undefined) return problem;
    }
    return undefined;
  }

  /** The queues of a broker, for operators. */
  reportAt(address: string): PulledQueueReport[] {
    const ofBroker = [...this.pullers.values()].filter((puller) => this.addressOf(puller) === address);
    return ofBroker.flatMap(({ report }) => report ?? []);
  }

  /** Gives up what belongs to one broker. */
  async leave(address: string, deadline: Deadline): Promise<void> {
    this.left.add(address);
    const leaving = [...this.pullers.values()].filter((puller) => this.addressOf(puller) === address);
    await Promise.all(
      leaving.map(async (puller) => {
        await this.settling.closeGaps(puller, deadline);
        await this.release(puller, false);
      }),
    );
    await Promise.all(this.ending.values());
  }

  /** Goes on in a queue at an offset that an operator chose. */
  moveTo({ topic, brokerName, queueId }: PulledQueue, offset: number): void {
    const puller = this.pullers.get(keyOf({ topic, brokerName, queueId }));
    puller?.moveTo(offset);
  }

  /** Ends all pulls. Idempotent. */
  async close(): Promise<void> {
    this.stopping.abort(new StateError('CLOSED', 'the consumer is closed'));
    this.handout.close();
    this.balance.soon();
    await this.running;
    for (const puller of this.pullers.values()) void this.release(puller, false);
    await Promise.all(this.ending.values());
  }

  private groupAt(puller: QueuePuller): GroupSettings | undefined {
    return this.port.sessions().get(this.addressOf(puller))?.group;
  }

  private get membership(): Membership {
    return membershipOf(this.port.sessions());
  }

  /** Work on the messages of a queue, in their order. Where it fails, the lease of the message ends, and it is tried again. */
  private inBackground(puller: QueuePuller, what: string, work: (deadline: Deadline) => Promise<Status>): void {
    const former = this.working.get(puller) ?? Promise.resolve();
    const working = former
      .then(() => withNotedEffects(what, SEND_BACK_MS, this.stopping.signal, work))
      .then(() => {})
      .catch((error: unknown) => this.port.logger.debug(`${what} failed`, { error: describeError(error) }));
    this.working.set(puller, working);
  }

  private addressOf({ name }: QueuePuller): string {
    return this.port.topics.addressOf(name.brokerName) ?? '';
  }

  private async commitLoop(signal: AbortSignal): Promise<void> {
    this.tickedAtMs = monotonicMs();
    while (!signal.aborted) {
      await sleep(this.ioClock, COMMIT_MS, signal).catch(() => {});
      if (signal.aborted) return;
      this.tick();
      for (const puller of this.pullers.values()) {
        this.strays.putOff(puller);
        puller.commit();
      }
      this.reportHeldUp();
    }
  }

  private reportHeldUp(): void {
    const queues = [...this.pullers.values()].flatMap(({ heldUp }) => heldUp ?? []);
    if (queues.length === 0 && !this.isHeldUp) return;
    const isTaken = this.port.onHeldUp(queues);
    this.isHeldUp = queues.length > 0 || !isTaken;
  }

  /** A process that was suspended or blocked does not know any more what is its own. */
  private tick(): void {
    const nowMs = monotonicMs();
    if (nowMs - this.tickedAtMs > STANDSTILL_MS) {
      this.stoodStillUntilMs = nowMs;
      this.balance.soon();
    }
    this.tickedAtMs = nowMs;
  }

  private isCurrent(puller: QueuePuller): boolean {
    const isStanding = monotonicMs() - this.tickedAtMs > STANDSTILL_MS;
    return !isStanding && (this.confirmed.get(puller) ?? 0) >= this.stoodStillUntilMs;
  }

  private watch(topics: readonly string[]): void {
    for (const puller of this.pullers.values()) {
      if (topics.includes(puller.name.topic)) puller.resubscribe();
      else void this.release(puller);
    }
  }

  private own(topic: string, { queues, hasOthers, brokers, askedAtMs }: Share): void {
    const wanted = new Map(queues.map((queue) => [keyOf(queue), queue]));
    // Of a broadcast, nobody else gets the queues of a broker that is away.
    const isKept = ({ name }: QueuePuller): boolean =>
      this.port.broadcast !== undefined && !brokers.has(name.brokerName);
    for (const [key, puller] of this.pullers) {
      if (puller.name.topic === topic && !wanted.has(key) && !isKept(puller)) void this.release(puller);
    }
    for (const [key, { name }] of this.cutOff) {
      if (name.topic === topic && brokers.has(name.brokerName) && !wanted.has(key)) this.cutOff.delete(key);
    }
    for (const [key, queue] of wanted) {
      const known = this.pullers.get(key);
      if (known !== undefined) this.confirmed.set(known, askedAtMs);
      // What is in hand of an earlier ownership would be handled twice at a time; its end asks for a new share.
      if (!this.pullers.has(key) && !this.ending.has(key)) this.begin(key, queue, hasOthers);
    }
    this.handout.serve();
  }

  private begin(key: string, queue: PulledQueue, hasOthers: boolean): void {
    const address = this.port.topics.addressOf(queue.brokerName) ?? '';
    if (this.stopping.signal.aborted || this.left.has(address)) return;
    const sessions = this.port.sessions();
    const { group } = sessions.get(address) ?? {};
    const port: PullerPort = {
      clientId: this.port.clientId,
      consumerGroup: membershipOf(sessions).consumerGroup,
      isOrdered: group?.isOrdered === true,
      hasOthers,
      client: this.port.client,
      logger: this.port.logger,
      broadcast: this.port.broadcast,
      addressOf: (name) => this.port.topics.addressOf(name),
      subscriptionOf: (topic) => this.membership.topics.get(topic) ?? EVERYTHING,
      isCurrent: (puller) => this.isCurrent(puller),
      onReady: () => this.handout.serve(),
      onLost: (puller, deliveries) => {
        const handles = deliveries.map(({ offset, delivery }) => this.settling.handleOf(puller, offset, delivery));
        this.port.onLost(this.addressOf(puller), handles);
      },
    };
    const history = this.cutOff.get(key)?.history ?? new QueueHistory();
    this.cutOff.delete(key);
    const puller = new QueuePuller(port, queue, ++this.ownerships, history);
    this.pullers.set(key, puller);
    this.byOwnership.set(puller.ownership, puller);
    this.confirmed.set(puller, monotonicMs());
    puller.start();
  }

  /** Never throws. @param mayWork see {@link QueuePuller.end} */
  private release(puller: QueuePuller, mayWork = true): Promise<void> {
    const key = keyOf(puller.name);
    if (this.pullers.get(key) !== puller) return this.ending.get(key) ?? Promise.resolve();
    this.pullers.delete(key);
    const ended = puller.end(mayWork).finally(() => {
      if (!puller.isIntact) this.cutOff.set(key, puller);
      this.byOwnership.delete(puller.ownership);
      this.ending.delete(key);
      this.balance.soon();
    });
    this.ending.set(key, ended);
    return ended;
  }
}
