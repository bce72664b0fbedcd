// The settings of a consumer group as each of its servers has them: they may differ, and each server goes by its own.

import { isDeepStrictEqual } from 'node:util';
import { type Endpoint, endpointKey } from '../../client/endpoint.js';
import { consumerGroupNotFifo, consumerGroupWithoutAttempts } from '../../client/resource-errors.js';
import type { Settings } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { ClusterCommand } from '../../support/command-line.js';
import type { UsageError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import { type ConsumerSettings, consumerSettings, DEFAULT_SETTINGS, type LiteLimits } from './settings.js';

/** What is needed of the consumer. */
interface GroupPort {
  readonly consumerGroup: string;
  readonly logger: Logger;
  readonly command: ClusterCommand;
  /** Whether nothing may be received from a server on which the group is not ordered. Default false. */
  readonly requireFifo?: boolean;
  /** Reads the answer of a server. Default: as that to a consumer of ordinary topics. */
  readonly read?: ((answer: Settings) => ConsumerSettings) | undefined;
  /** Why the consumer does not fit the settings of a server. Default: it fits any. */
  readonly misfit?: (server: string, settings: ConsumerSettings) => UsageError | undefined;
  /** Names a server to an operator. */
  nameOf(server: Endpoint): string;
  /** Asks all servers again. */
  refresh(): Promise<void>;
}

/** The settings of one server. */
interface ServerSettings {
  readonly server: Endpoint;
  readonly settings: ConsumerSettings;
  readonly confirmed: ConfirmedSettings;
  /** Nothing more is received from it, but what it handed out keeps its settings. */
  readonly isGone: boolean;
}

/**
 * What a client repeats to a proxy of the group's settings. A proxy that has lost them, as after a restart of its name server, goes by what the
 * client has sent: without this it would hand out an ordered group unordered, and give its messages up after 17 attempts.
 * @see GrpcClientSettingsManager#mergeSubscriptionData of the server
 */
type ConfirmedSettings = Pick<Settings, 'backoffPolicy'> & { readonly fifo?: true };

/** How many servers that are gone are remembered: what they handed out ends with its leases. */
const MAX_GONE = 32;

/** In what the servers may differ, in words. */
const COMPARED: Readonly<Record<string, (settings: ConsumerSettings) => string>> = {
  ordered: ({ isFifo }) => (isFifo ? 'yes' : 'no'),
  maxAttempts: ({ maxAttempts }) => String(maxAttempts),
  backoff: ({ backoff }) => JSON.stringify(backoff),
};

/** What each server of a consumer has last said about the group. */
export class GroupSettings {
  /** By the key of the endpoint. */
  private readonly known = new Map<string, ServerSettings>();
  private state: 'starting' | 'settled' | 'confirming' = 'starting';
  /** The differences that were reported last; empty when there were none. */
  private reported = '';
  /** What was reported last of each server that the consumer does not fit. */
  private readonly misfits = new Map<string, string>();

  constructor(private readonly port: GroupPort) {}

  /** The settings of a server; the defaults before its first answer. */
  at(server: Endpoint): ConsumerSettings {
    return this.known.get(endpointKey(server))?.settings ?? DEFAULT_SETTINGS;
  }

  /**
   * What is repeated to this server: nothing where it is what a server assumes. Before its first answer, what the consumer needs: a broker of 4.x
   * keeps no order of a group, and leaves it to the consumers.
   */
  confirmed(server: Endpoint): ConfirmedSettings {
    const { requireFifo = false } = this.port;
    return this.known.get(endpointKey(server))?.confirmed ?? (requireFifo ? ORDER_NEEDED : NOTHING_CONFIRMED);
  }

  /** Those of all servers that have answered and are not gone. */
  all(): readonly ConsumerSettings[] {
    return this.present().map(({ settings }) => settings);
  }

  private present(): readonly ServerSettings[] {
    return [...this.known.values()].filter(({ isGone }) => !isGone);
  }

  /** Whether the group is ordered on this server, or on any. */
  isOrdered(server?: Endpoint): boolean {
    return server === undefined ? this.all().some(({ isFifo }) => isFifo) : this.at(server).isFifo;
  }

  /** What every server takes. */
  liteLimits(): LiteLimits {
    const present = this.all();
    const all = present.length === 0 ? [DEFAULT_SETTINGS] : present;
    return {
      liteSubscriptionQuota: Math.min(...all.map(({ liteSubscriptionQuota }) => liteSubscriptionQuota)),
      maxLiteTopicLength: Math.min(...all.map(({ maxLiteTopicLength }) => maxLiteTopicLength)),
    };
  }

  /**
   * Takes the answer of a server.
   * @returns whether {@link confirmed} is another one now
   * @throws ResourceError when nothing may be received from it; what it said before stays in force for what was received
   */
  learn(server: Endpoint, answer: Settings): boolean {
    const { consumerGroup, command, requireFifo = false, read = consumerSettings } = this.port;
    const settings = read(answer);
    const name = this.port.nameOf(server);
    if (settings.maxAttempts < 1) throw consumerGroupWithoutAttempts(command, consumerGroup, name);
    if (requireFifo && !settings.isFifo) throw consumerGroupNotFifo(command, consumerGroup, name);
    const before = this.known.get(endpointKey(server))?.settings;
    const wasConfirmed = this.confirmed(server);
    const confirmed = confirmedIn(answer);
    this.known.set(endpointKey(server), { server, settings, confirmed, isGone: false });
    if (this.state !== 'starting') this.reportNews(server, before, settings);
    return !isDeepStrictEqual(confirmed, wasConfirmed);
  }

  private reportNews(server: Endpoint, before: ConsumerSettings | undefined, settings: ConsumerSettings): void {
    if (before !== undefined) this.reportChange(server, before, settings);
    if (before === undefined || !losesWhatIsReleased(before)) this.reportLosses(server, settings);
    this.reportMisfit(server, settings);
    if (this.state === 'settled' && textOf(this.differences()) !== this.reported) void this.confirm();
  }

  /** The server is in no route any more. */
  forget(server: Endpoint): void {
    const known = this.known.get(endpointKey(server));
    if (known !== undefined) {
      this.known.delete(endpointKey(server));
      this.known.set(endpointKey(server), { ...known, isGone: true });
    }
    const gone = [...this.known].filter(([, { isGone }]) => isGone);
    for (const [key] of gone.slice(0, -MAX_GONE)) this.known.delete(key);
    this.misfits.delete(endpointKey(server));
    if (this.state === 'settled') this.report();
  }

  /** The servers that are available have answered: what differs is reported from now on. @throws UsageError for a misfit */
  started(): void {
    for (const { server, settings } of this.present()) {
      const misfit = this.port.misfit?.(this.port.nameOf(server), settings);
      if (misfit !== undefined) throw misfit;
    }
    for (const { server, settings } of this.present()) this.reportLosses(server, settings);
    this.state = 'settled';
    this.report();
  }

  /** With no attempt to spare, nothing later says so: each delivery is the last one. */
  private reportLosses(server: Endpoint, settings: ConsumerSettings): void {
    if (!losesWhatIsReleased(settings)) return;
    const { consumerGroup, logger } = this.port;
    const text =
      'the ordered consumer group has one attempt on a server: when a process shuts down or ends, the messages that it has received and not settled ' +
      'become dead letters, also those that no handler has seen; give the group more attempts';
    const command = this.change('--fifo', '--max-attempts', `${DEFAULT_SETTINGS.maxAttempts}`);
    logger.warn(text, { consumerGroup, server: this.port.nameOf(server), command });
  }

  /** Where all servers change alike, or a proxy answers with what another of its brokers says, nothing differs, and yet the order may be lost. */
  private reportChange(server: Endpoint, before: ConsumerSettings, now: ConsumerSettings): void {
    const { consumerGroup, logger } = this.port;
    const changes = Object.entries(COMPARED).flatMap(([name, show]) =>
      show(before) === show(now) ? [] : [[name, `${show(before)} before, ${show(now)} now`]],
    );
    if (changes.length === 0) return;
    const fields = { consumerGroup, server: this.port.nameOf(server), ...Object.fromEntries(changes) };
    if (!before.isFifo || now.isFifo) {
      logger.info('the consumer group has other settings on a server than before', fields);
      return;
    }
    const text =
      'a server no longer orders the consumer group, so it hands out the messages of a message group in any order; behind a proxy this changes ' +
      'by itself where its brokers differ, which "group show" reveals';
    logger.warn(text, { ...fields, command: this.change('--fifo') });
  }

  /** A server that joins, or changes, later ends nothing that runs. */
  private reportMisfit(server: Endpoint, settings: ConsumerSettings): void {
    const { consumerGroup, logger } = this.port;
    const key = endpointKey(server);
    const { code, message = '' } = this.port.misfit?.(this.port.nameOf(server), settings) ?? {};
    if (message !== '' && message !== this.misfits.get(key)) logger.warn(message, { consumerGroup, code });
    this.misfits.set(key, message);
  }

  /** A command changes one server after the other, so all are asked again: what differs for a moment only is not reported. */
  private async confirm(): Promise<void> {
    this.state = 'confirming';
    // A server that does not answer keeps the settings that it had.
    await this.port.refresh().catch(() => {});
    this.state = 'settled';
    this.report();
  }

  private report(): void {
    const { consumerGroup, logger } = this.port;
    const differences = this.differences();
    const text = textOf(differences);
    if (text === this.reported) return;
    this.reported = text;
    if (text === '') {
      logger.info('all servers have the same settings of the consumer group again', { consumerGroup });
      return;
    }
    const warning =
      'the settings of the consumer group differ between servers, and each message is handled by those of its server; give all servers the same';
    logger.warn(warning, { consumerGroup, ...differences, ...this.fixes(differences) });
  }

  /** Each setting that differs, and where it has which value. */
  private differences(): Readonly<Record<string, string>> {
    const differences = Object.entries(COMPARED).flatMap(([name, show]) => {
      const places = new Map<string, string[]>();
      for (const { server, settings } of this.present()) {
        const value = show(settings);
        places.set(value, [...(places.get(value) ?? []), this.port.nameOf(server)]);
      }
      const text = [...places].map(([value, servers]) => `${value} on ${servers.sort().join(', ')}`).sort();
      return places.size > 1 ? [[name, text.join('; ')]] : [];
    });
    return Object.fromEntries(differences);
  }

  /** What makes all servers the same: it keeps the order, and gives up no message earlier than any server does now. */
  private fixes({ ordered, maxAttempts, backoff }: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const all = this.all();
    const { consumerGroup } = this.port;
    // A group of lite topics counts as ordered whatever it says.
    const order = all.some(({ isFifo, isLite }) => isFifo && !isLite) ? ['--fifo'] : [];
    const attempts = ['--max-attempts', `${Math.max(...all.map((one) => one.maxAttempts))}`];
    const isForCommand = ordered !== undefined || maxAttempts !== undefined;
    return {
      ...(isForCommand ? { command: this.change(...order, ...attempts) } : {}),
      ...(backoff === undefined
        ? {}
        : {
            call: `admin.createGroup({ consumerGroup: ${JSON.stringify(consumerGroup)}, backoff }, { ifExists: 'update' })`,
          }),
    };
  }

  /** A command that changes the group on all brokers. */
  private change(...settings: readonly string[]): string {
    return this.port.command('group', 'create', this.port.consumerGroup, ...settings, '--yes');
  }
}

const NOTHING_CONFIRMED: ConfirmedSettings = { backoffPolicy: undefined };
const ORDER_NEEDED: ConfirmedSettings = { backoffPolicy: undefined, fifo: true };

function confirmedIn({ pubSub, backoffPolicy }: Settings): ConfirmedSettings {
  const isFifo = pubSub?.$case === 'subscription' && pubSub.value.fifo === true;
  const isUsual = (backoffPolicy?.maxAttempts ?? DEFAULT_SETTINGS.maxAttempts) === DEFAULT_SETTINGS.maxAttempts;
  if (!isFifo && isUsual) return NOTHING_CONFIRMED;
  return isFifo ? { backoffPolicy, fifo: true } : { backoffPolicy };
}

/** In an ordered group, every release counts as an attempt. Of lite topics, no server dead-letters a message. */
function losesWhatIsReleased({ isFifo, isLite, maxAttempts }: ConsumerSettings): boolean {
  return isFifo && !isLite && maxAttempts === 1;
}

function textOf(differences: Readonly<Record<string, string>>): string {
  return Object.entries(differences).join('; ');
}
