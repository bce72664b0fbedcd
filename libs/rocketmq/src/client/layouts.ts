// Over which queues the message groups of each topic are spread: what the clients of one connection have seen of it. One place for all
// of them, because one that is created while a broker is away would see less.

import { byBrokerName, isSameLayout, type Layout, layoutText } from '../protocol/model/layout.js';
import type { Logger } from '../support/logger.js';
import type { Endpoint } from './endpoint.js';
import { type LayoutPart, MOST_SERVERS, type Queue } from './route.js';

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

/** The layouts of the topics of a cluster. */
export class Layouts {
  private readonly known = new Map<string, readonly LayoutPart[]>();
  /** Those to which messages of message groups or lite topics were sent: a change of others moves nothing. */
  private readonly used = new Set<string>();

  /** @param declared the option `topicLayouts` */
  constructor(
    private readonly declared: ReadonlyMap<string, Layout>,
    private readonly logger: Logger,
  ) {}

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
    if (earlier.length > 0 && this.used.has(topic) && !isSameLayout(earlier, layout)) {
      this.logger.warn(MOVED, { topic, before: textOf(earlier), now: textOf(layout) });
    }
    this.known.set(topic, layout);
    return layout;
  }
}

const MOVED =
  'the brokers or queues of a topic have changed, so message groups move to other queues: messages of a group that were stored before may be ' +
  'handled after, or beside, messages that are sent now. To change a topic that is in use, stop its producers, let its consumers finish, and set its order configuration';

function textOf(layout: Layout): string {
  return layoutText(byBrokerName(layout));
}

function widest(earlier: readonly LayoutPart[], present: readonly LayoutPart[]): readonly LayoutPart[] {
  const now = new Map(present.map((part) => [part.brokerName, part]));
  if (earlier.every(({ brokerName }) => now.has(brokerName))) return present;
  const kept = earlier.map((part) => now.get(part.brokerName) ?? part);
  const added = present.filter(({ brokerName }) => !earlier.some((part) => part.brokerName === brokerName));
  const all = [...kept, ...added];
  // Names that never end would fill the memory.
  return all.length > MOST_SERVERS ? present : all;
}

function located(fixed: Layout, ...seen: readonly (readonly LayoutPart[])[]): readonly LayoutPart[] {
  const endpoints = new Map<string, Endpoint | undefined>(
    seen.flat().map(({ brokerName, endpoint }) => [brokerName, endpoint]),
  );
  return fixed.map(({ brokerName, queues }) => ({ brokerName, queues, endpoint: endpoints.get(brokerName) }));
}
