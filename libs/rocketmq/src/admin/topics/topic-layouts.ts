// What the message groups of a topic are spread over: its order configuration at each name server, and what can be written at present.

import { byBrokerName, isSameLayout, type Layout, layoutText, parseLayout } from '../../protocol/model/layout.js';
import { topicNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import { writableLayout } from '../../remoting/cluster.js';
import { type ClusterAccess, ORDER_CONFIGURATION } from '../../remoting/cluster-access.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import { describe } from '../../support/options.js';
import { PartlyDoneError } from '../admin-errors.js';
import { checkName } from '../checks.js';

/** The order configuration of a topic at one name server. */
export interface OrderConfiguration {
  /** `host:port` */
  readonly nameServer: string;
  /** As it is stored: `broker-a:8;broker-b:8`. Undefined when there is none. */
  readonly layout: string | undefined;
  /** Why it could not be asked. */
  readonly error?: Error;
}

/** What the message groups and lite topics of a topic are spread over. */
export interface TopicLayout {
  readonly topic: string;
  /** The brokers that can be written at present, with their queues: `broker-a:8;broker-b:8`. Empty when there are none. */
  readonly present: string;
  /** One for each name server, in the order of the option `nameServer`. They do not replicate. */
  readonly orderConfigurations: readonly OrderConfiguration[];
  /** How they differ from each other and from what is present; a sentence for each difference. */
  readonly differences: readonly string[];
}

export class TopicLayouts {
  constructor(private readonly cluster: ClusterAccess) {}

  async read(topic: string, options?: CallOptions): Promise<TopicLayout | undefined> {
    checkName('topic', topic, topicNameProblem(topic));
    return this.cluster.run(`layout of topic ${topic}`, options, async (deadline) => {
      const present = await this.present(topic, deadline);
      if (present === undefined) return undefined;
      const orderConfigurations = await this.cluster.atEachNameServer((nameServer) =>
        this.at(nameServer, topic, deadline),
      );
      const about = { topic, present: layoutText(present), orderConfigurations };
      return { ...about, differences: differencesIn(present, orderConfigurations) };
    });
  }

  /** @param layout `broker-a:8;broker-b:8`, or what is present */
  async set(topic: string, layout: string, options?: CallOptions): Promise<TopicLayout> {
    checkName('topic', topic, topicNameProblem(topic));
    checkLayout(topic, layout);
    return this.cluster.run(`set layout of topic ${topic}`, options, (deadline) => this.put(topic, layout, deadline));
  }

  /** @throws PartlyDoneError that names the name servers that have it */
  async put(topic: string, layout: string, deadline: Deadline): Promise<TopicLayout> {
    const present = await this.present(topic, deadline);
    const wanted = layout === 'present' ? (present ?? []) : (parseLayout(layout) ?? []);
    if (present === undefined || wanted.length === 0) {
      const message = `topic "${topic}" has no queue that can be written; nothing was changed; create it first`;
      throw new UsageError('ILLEGAL_LAYOUT', message, 'layout');
    }
    const value = layoutText(byBrokerName(wanted));
    const fields = { namespace: ORDER_CONFIGURATION, key: topic, value };
    await this.change({ code: REQUEST_CODES.putKvConfig, fields }, deadline);
    const orderConfigurations = this.cluster.nameServers.map((nameServer) => ({ nameServer, layout: value }));
    const differences = differencesIn(present, orderConfigurations);
    return { topic, present: layoutText(present), orderConfigurations, differences };
  }

  async remove(topic: string, options?: CallOptions): Promise<void> {
    checkName('topic', topic, topicNameProblem(topic));
    await this.cluster.run(`remove layout of topic ${topic}`, options, (deadline) => this.removeNow(topic, deadline));
  }

  /** Succeeds where there is none. @throws PartlyDoneError that names the name servers that have removed it */
  async removeNow(topic: string, deadline: Deadline): Promise<void> {
    const fields = { namespace: ORDER_CONFIGURATION, key: topic };
    await this.change({ code: REQUEST_CODES.deleteKvConfig, fields }, deadline);
  }

  private async change(request: { code: number; fields: Record<string, string> }, deadline: Deadline): Promise<void> {
    const done: string[] = [];
    const failed: { readonly nameServer: string; readonly error: Error }[] = [];
    await this.cluster.atEachNameServer(async (nameServer) => {
      try {
        await this.cluster.callNameServer(nameServer, request, deadline);
        done.push(nameServer);
      } catch (error) {
        failed.push({ nameServer, error: error as Error });
      }
    });
    const [first] = failed;
    if (first === undefined) return;
    throw done.length === 0 ? first.error : new PartlyDoneError(deadline.what, done, first.error);
  }

  private async present(topic: string, deadline: Deadline): Promise<Layout | undefined> {
    const route = await this.cluster.route(topic, deadline);
    return route === undefined
      ? undefined
      : writableLayout({ ...route, brokers: this.cluster.ofCluster(route.brokers) });
  }

  private async at(nameServer: string, topic: string, deadline: Deadline): Promise<OrderConfiguration> {
    try {
      return { nameServer, layout: await this.cluster.orderConfigurationOf(nameServer, topic, deadline) };
    } catch (error) {
      if (deadline.caller?.aborted === true) throw error;
      return { nameServer, layout: undefined, error: error as Error };
    }
  }
}

/** @throws UsageError `ILLEGAL_LAYOUT` */
export function checkLayout(topic: string, layout: string): void {
  if (layout === 'present' || (typeof layout === 'string' && parseLayout(layout) !== undefined)) return;
  const message = `topic ${describe(topic)}: layout is ${describe(layout)}; it must have the form "broker-a:8;broker-b:8", each broker once, with 1 to 1024 queues, or be "present"`;
  throw new UsageError('ILLEGAL_LAYOUT', message, 'layout');
}

function differencesIn(present: Layout, configurations: readonly OrderConfiguration[]): string[] {
  const asked = configurations.filter(({ error }) => error === undefined);
  const set = asked.find(({ layout }) => layout !== undefined)?.layout;
  if (set === undefined) return [];
  const order = parseLayout(set);
  if (order === undefined) return [`the order configuration "${set}" cannot be read, and is not used`];
  const differing = asked.flatMap(({ nameServer, layout }) => {
    if (layout === undefined) return [`name server ${nameServer} has no order configuration`];
    const other = parseLayout(layout);
    return other !== undefined && isSameLayout(order, other) ? [] : [`name server ${nameServer} has ${layout}`];
  });
  const brokers = order.flatMap(({ brokerName, queues }) => {
    const there = present.find((one) => one.brokerName === brokerName)?.queues;
    if (there === undefined) return [`broker ${brokerName} is missing or cannot be written`];
    return there === queues ? [] : [`broker ${brokerName} has ${there} queues, not ${queues}`];
  });
  const unused = present.filter(({ brokerName }) => !order.some((one) => one.brokerName === brokerName));
  return [...differing, ...brokers, ...unused.map(({ brokerName }) => `broker ${brokerName} gets no message groups`)];
}
