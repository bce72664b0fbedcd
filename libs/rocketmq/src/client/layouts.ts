// Over which queues the message groups of each topic are spread: what the clients of one connection have seen of it. One place for all
// of them, because one that is created while a broker is away would see less.

import { byBrokerName, type Layout, layoutText } from '../protocol/model/layout.js';
import { SECOND_MS } from '../support/clock.js';
import { monotonicMs } from '../support/deadline.js';
import type { Logger } from '../support/logger.js';
import { type Endpoint, endpointKey } from './endpoint.js';
import { type LayoutPart, MAX_SERVERS, type Queue } from './route.js';

/** The queues of each broker that can be written at present, in the order of the server. */
export function writableByBroker(queues: readonly Queue[]): ReadonlyMap<string, readonly Queue[]> {
  const found = new Map<string, Queue[]>();
  for (const queue of queues) {
    if (!queue.writable || queue.brokerId !== 0) continue;
    const others = found.get(queue.brokerName);
    if (others === undefined) found.set(queue.brokerName, [queue]);
    else others.push(queue);
  }
  return found;
}

/** A proxy renews its routes every 20 s. @see ProxyConfig of the server */
const LEARNED_MS = 25 * SECOND_MS;
const NONE: ReadonlySet<string> = new Set();

/** The layouts of the topics of a cluster. */
export class Layouts {
  private readonly known = new Map<string, readonly LayoutPart[]>();
  /** Topics whose declared layout is another than that of the servers: each is reported once. */
  private readonly misdeclared = new Set<string>();
  /** Topics of which no broker is known: each is reported once. */
  private readonly unknown = new Set<string>();
  /** Those to which messages of message groups or lite topics were sent: a change of others moves nothing. */
  private readonly used = new Set<string>();

  /** By broker: until when a proxy that could not connect to it may drop it from its routes, and when one last could not, in monotonic time. */
  private readonly away = new Map<string, { readonly untilMs: number; readonly notedAtMs: number }>();

  /**
   * @param declared the option `topicLayouts`
   * @param nowMs monotonic real time
   */
  constructor(
    private readonly declared: ReadonlyMap<string, Layout>,
    private readonly logger: Logger,
    private readonly nowMs = monotonicMs,
  ) {}

  /**
   * Called when a proxy could not connect to a broker: it may soon learn that the broker is missing, and choose among the others. One that has
   * not done so until then sees the order configuration, and keeps its routes: what follows at once is the same outage.
   */
  noteAway(brokerName: string): void {
    const notedAtMs = this.nowMs();
    const known = this.away.get(brokerName);
    const isSame = known !== undefined && notedAtMs - Math.max(known.untilMs, known.notedAtMs) < LEARNED_MS;
    this.away.set(brokerName, { untilMs: isSame ? known.untilMs : notedAtMs + LEARNED_MS, notedAtMs });
  }

  /** Called when a broker has stored a message. */
  noteReached(brokerName: string): void {
    if (this.away.size > 0) this.away.delete(brokerName);
  }

  /** The brokers that a proxy may treat as missing at any moment. */
  brokersAway(): ReadonlySet<string> {
    if (this.away.size === 0) return NONE;
    const nowMs = this.nowMs();
    return new Set([...this.away].flatMap(([brokerName, { untilMs }]) => (untilMs > nowMs ? [brokerName] : [])));
  }

  /** Whether the option says over which queues its message groups are spread. */
  isDeclared(topic: string): boolean {
    return this.declared.has(topic);
  }

  /** Called when a message of a message group or lite topic is about to be sent. */
  use(topic: string): void {
    this.used.add(topic);
  }

  /**
   * The layout of a topic after an answer about its route. That of the name server's order configuration where it is set, otherwise the
   * declared one, otherwise the widest one that was seen: a broker that cannot be written stays, with the queues that it had last.
   * @param order the order configuration, where the server shows it
   */
  after(topic: string, queues: readonly Queue[], order: Layout | undefined): readonly LayoutPart[] {
    const earlier = this.known.get(topic) ?? [];
    const present = [...writableByBroker(queues)].map(([brokerName, { length, 0: first }]): LayoutPart => {
      return { brokerName, queues: length, endpoint: first?.endpoint };
    });
    const fixed = order ?? this.declared.get(topic);
    const layout = fixed === undefined ? widest(earlier, present) : located(fixed, earlier, present);
    if (earlier.length > 0 && this.used.has(topic)) this.checkPlaces(topic, earlier, layout);
    this.checkKnown(topic, queues, layout);
    if (fixed !== undefined && order === undefined) this.checkDeclared(topic, fixed, layout, present);
    this.known.set(topic, layout);
    return layout;
  }

  private checkPlaces(topic: string, earlier: readonly LayoutPart[], layout: readonly LayoutPart[]): void {
    // Whether each broker has a proxy is unknown while one is missing: the same order is the same place either way.
    if (layoutText(earlier) === layoutText(layout)) return;
    const [before, now] = [textOf(earlier), textOf(layout)];
    if (before !== now) this.logger.warn(MOVED, { topic, before, now });
  }

  private checkKnown(topic: string, queues: readonly Queue[], layout: readonly LayoutPart[]): void {
    if (queues.length > 0) this.unknown.delete(topic);
    else if (!this.unknown.has(topic)) {
      this.unknown.add(topic);
      this.logger.warn(UNKNOWN, { topic, layout: layoutText(layout) });
    }
  }

  private checkDeclared(
    topic: string,
    declared: Layout,
    layout: readonly LayoutPart[],
    present: readonly LayoutPart[],
  ): void {
    if (this.misdeclared.has(topic)) return;
    if (differs(declared, present)) {
      this.misdeclared.add(topic);
      this.logger.warn(OTHERWISE, { topic, topicLayouts: layoutText(declared), isThere: layoutText(present) });
      return;
    }
    if (!hasSeveralProxies(layout)) return;
    const [topicLayouts, shouldBe] = [layoutText(declared), layoutText(layout)];
    if (topicLayouts === shouldBe) return;
    this.misdeclared.add(topic);
    this.logger.warn(DISORDERED, { topic, topicLayouts, shouldBe });
  }
}

const MOVED =
  'the brokers or queues of a topic have changed, so message groups move to other queues: messages of a group that were stored before may be ' +
  'handled after, or beside, messages that are sent now. To change a topic that is in use, stop its producers, let its consumers finish, and set its order configuration';

const UNKNOWN =
  'the servers know no broker of a topic, whose layout is set: its messages can be sent when the brokers are back; if there is no such topic, create it or correct its name';

const OTHERWISE =
  'option topicLayouts says other queues of the brokers of a topic than there are, or leaves out a broker: messages of some message groups cannot be sent, and a ' +
  'process without the option may send others to another queue; correct the option';

const DISORDERED =
  'option topicLayouts has the brokers of a topic in another order than the servers, which decides about message groups where each broker has a ' +
  'proxy of its own; the order of the servers is used, but a process that starts while a broker is missing cannot know it: correct the option';

/** Whether a layout that is declared is another than that of the brokers that are there; others may be missing. */
export function differs(declared: Layout, present: Layout): boolean {
  const queues = new Map(declared.map((part) => [part.brokerName, part.queues]));
  return present.some((part) => queues.get(part.brokerName) !== part.queues);
}

/** Whether each broker has a proxy of its own. Clients then go by the order of the servers; otherwise by the names of the brokers. */
export function hasSeveralProxies(layout: readonly LayoutPart[]): boolean {
  const endpoints = layout.flatMap(({ endpoint }) => (endpoint === undefined ? [] : [endpointKey(endpoint)]));
  return new Set(endpoints).size > 1;
}

/** The same for layouts that give every message group the same place. */
function textOf(layout: readonly LayoutPart[]): string {
  return layoutText(hasSeveralProxies(layout) ? layout : byBrokerName(layout));
}

function widest(earlier: readonly LayoutPart[], present: readonly LayoutPart[]): readonly LayoutPart[] {
  const now = new Map(present.map((part) => [part.brokerName, part]));
  if (earlier.every(({ brokerName }) => now.has(brokerName))) return present;
  const kept = earlier.map((part) => now.get(part.brokerName) ?? part);
  const added = present.filter(({ brokerName }) => !earlier.some((part) => part.brokerName === brokerName));
  const all = [...kept, ...added];
  // Names that never end would fill the memory.
  return all.length > MAX_SERVERS ? present : all;
}

/** In the order of the servers, as far as it was seen. */
function located(fixed: Layout, earlier: readonly LayoutPart[], present: readonly LayoutPart[]): readonly LayoutPart[] {
  const endpoints = new Map<string, Endpoint | undefined>(
    [...earlier, ...present].map(({ brokerName, endpoint }) => [brokerName, endpoint]),
  );
  const parts = new Map(
    fixed.map(({ brokerName, queues }) => [brokerName, { brokerName, queues, endpoint: endpoints.get(brokerName) }]),
  );
  const orders = [present, earlier, fixed].map((seen) => seen.flatMap(({ brokerName }) => parts.get(brokerName) ?? []));
  return orders.find((ordered) => ordered.length === parts.size) ?? [];
}
