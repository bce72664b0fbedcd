// Stands in for the telemetry stream of a proxy: registers the client with one broker, answers its settings with those of its group,
// and hands on the broker's requests. It lives as long as the connection to the broker.
// Over 300 lines: the state of one stream, and all that changes it.

import { toDuration } from '../protocol/grpc/duration.js';
import {
  ClientType,
  Code,
  type Settings,
  type Status,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from '../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import type { SessionMessage } from '../protocol/grpc/session-message.js';
import type { Consumption } from '../protocol/model/consumption.js';
import { LIMITS } from '../protocol/model/limits.js';
import { DEFAULT_LITE_QUOTA } from '../protocol/model/lite-group.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import { jsonOf } from '../remoting/answers.js';
import { deliveryOf, type GroupConfig } from '../remoting/group-config.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import type { RemotingConnection } from '../remoting/remoting-connection.js';
import { abortReason } from '../support/abort.js';
import type { BackoffPolicy } from '../support/backoff.js';
import { type Deadline, monotonicMs, realTimeIn, withNotedEffects } from '../support/deadline.js';
import { StateError, TransportError } from '../support/errors.js';
import { abilitiesOf } from './broker-release.js';
import { filterStatus } from './filter-answers.js';
import { askForGroup, MISSING_GROUP_QUESTIONS, missingGroup } from './group-question.js';
import { type GroupSettings, isOther, retryPolicy } from './group-settings.js';
import { bindingStatus, deliveryStatus, isLiteConsumer, noLiteTopics } from './lite-topics.js';
import { heartbeatOf } from './registration.js';
import { OK, rejection, statusOf } from './statuses.js';

/** What a session needs. */
interface SessionPort {
  readonly clientId: string;
  readonly client: RemotingClient;
  readonly timeoutMs: number;
  /** A broker, or undefined for the session with the name servers, where nothing is registered. */
  readonly address: string | undefined;
  /** All brokers of the cluster, which the session with the name servers asks for the group. */
  readonly brokers: (deadline: Deadline) => Promise<readonly string[]>;
  /** What an earlier session with the broker knew. */
  readonly group: GroupSettings | undefined;
  readonly consumption: Consumption;
  /** Called before a broadcast is registered; it may reject. */
  readonly onJoin: (settings: Settings, deadline: Deadline) => Promise<void>;
  /** What the client writes beside settings. */
  readonly onAnswer: (answer: TelemetryCommand) => void;
  /** Called when the broker knows what the client subscribes to. */
  readonly onRegistered: () => void;
}

/** What a producer gets from a proxy by default. */
const PRODUCER_ATTEMPTS = 3;
const PRODUCER_BACKOFF: BackoffPolicy = { kind: 'exponential', initialMs: 10, maxMs: 1_000, multiplier: 2 };
/** A server closes the connection for a frame of more than 16 MiB. What one broker takes it says when it is asked (see sending.ts). */
const MAX_BODY_BYTES = 16 * 1024 * 1024 - 64 * 1024;
/** Commands that wait to be read: the reader is the client's own loop, so more than this means that it is stuck. */
const MAX_WAITING = 10_000;

/** How long the settings of a group are used without asking, and how long asking may take. */
const [FRESH_MS, REFRESH_MS] = [1_000, 1_000];

type State = { readonly kind: 'open' } | { readonly kind: 'ended'; readonly error: Error | undefined };

/** A stream of telemetry commands. */
export class GatewaySession {
  private state: State = { kind: 'open' };
  private readonly closing = new AbortController();
  private readonly waiting: SessionMessage[] = [];
  private wake = (): void => {};
  private latest: Settings | undefined;
  private accepted: Settings | undefined;
  private known: GroupSettings | undefined;
  private release = 0;
  /** How many settings of the client are not answered yet. */
  private registering = 0;
  /** When the latest settings came: the broker keeps the newest subscriptions of a group. */
  private settingsAtMs = 0;
  private watched: RemotingConnection | undefined;

  constructor(private readonly port: SessionPort) {
    this.known = port.group;
  }

  /** The commands of the server, until the session ends; throws when the connection is lost. */
  readonly commands: AsyncIterable<SessionMessage> = { [Symbol.asyncIterator]: () => this.read() };

  /** The last settings that the client wrote. */
  get settings(): Settings | undefined {
    return this.latest;
  }

  /** The last settings that the broker has taken. */
  get acceptedSettings(): Settings | undefined {
    return this.accepted;
  }

  /** What the broker said about the group of the client; undefined before that, and for producers. */
  get group(): GroupSettings | undefined {
    return this.known;
  }

  /** The release of the broker, see `RemotingFrame.version`; 0 before it answered. */
  get brokerVersion(): number {
    return this.release;
  }

  /** How long the answer to the settings may take: name servers have it from the brokers, by questions that follow each other. */
  get answersWithinMs(): number | undefined {
    const { address, timeoutMs } = this.port;
    return address === undefined ? MISSING_GROUP_QUESTIONS * timeoutMs : undefined;
  }

  get isOpen(): boolean {
    return this.state.kind === 'open';
  }

  write(answer: TelemetryCommand): boolean {
    if (this.state.kind === 'ended') return false;
    const { command } = answer;
    if (command?.$case === 'settings') void this.register(command.value);
    else this.port.onAnswer(answer);
    return true;
  }

  end(): void {
    this.finish(undefined);
  }

  cancel(): void {
    this.finish(new StateError('CLOSED', 'the session was canceled'));
  }

  /** Ends the session because the connection did. */
  lose(error: Error): void {
    this.finish(error);
  }

  /** Hands a command to the client; false when it takes none. */
  push(command: SessionMessage): boolean {
    if (this.state.kind === 'ended' || this.waiting.length >= MAX_WAITING) return false;
    this.waiting.push(command);
    this.wake();
    return true;
  }

  /** Registers the client again, so that the broker keeps it. @returns the broker's status */
  async heartbeat(deadline: Deadline): Promise<Status> {
    const { latest } = this;
    const { address, client, clientId, consumption } = this.port;
    if (latest === undefined) return rejection(Code.UNRECOGNIZED_CLIENT_TYPE, 'the settings were not sent yet');
    if (address === undefined) return OK;
    const answer = await client.ask(
      address,
      heartbeatOf(clientId, latest, this.settingsAtMs, abilitiesOf(this.release), consumption),
      deadline,
    );
    this.release = answer.version;
    return statusOf(answer, address);
  }

  /**
   * Asks the broker again what the group is like, unless it said so a moment ago, and sends the client what is new: it must handle
   * messages as they are polled. A broker that does not answer changes nothing.
   */
  async refreshGroup(signal: AbortSignal): Promise<void> {
    const { known, latest } = this;
    const { address } = this.port;
    if (known === undefined || latest === undefined || address === undefined) return;
    if (monotonicMs() - known.learntAtMs < FRESH_MS) return;
    // Messages wait for it, while their invisible time runs.
    await withNotedEffects('settings of the group', REFRESH_MS, signal, (own) =>
      this.learnGroup(address, latest, own),
    ).catch(() => {});
    // While settings are registered, their answer has what is new.
    if (this.registering > 0 || this.latest !== latest || !isOther(known, this.known)) return;
    this.push(this.answerTo(latest));
  }

  private async register(settings: Settings): Promise<void> {
    const { address, timeoutMs } = this.port;
    const isConsumer = settings.clientType !== ClientType.PRODUCER;
    this.latest = settings;
    this.settingsAtMs = realTimeIn(0).getTime();
    this.registering++;
    try {
      await withNotedEffects(
        `settings for ${address ?? 'the name servers'}`,
        this.answersWithinMs ?? timeoutMs,
        this.closing.signal,
        async (deadline) => {
          if (address !== undefined) await this.connect(address, deadline);
          const status = isConsumer ? await this.learnGroup(address, settings, deadline) : OK;
          if (this.port.consumption === 'broadcast' && status.code === Code.OK && this.latest === settings)
            await this.port.onJoin(settings, deadline);
          const registered = status.code === Code.OK ? await this.heartbeat(deadline) : status;
          if (registered.code !== Code.OK) this.push({ status: registered });
          else {
            this.accepted = settings;
            this.push(this.answerTo(settings));
            this.port.onRegistered();
          }
        },
      );
    } catch (error) {
      this.finish(error as Error);
    } finally {
      this.registering--;
    }
  }

  private async connect(address: string, deadline: Deadline): Promise<void> {
    const connection = await this.port.client.connected(address, deadline);
    if (connection === this.watched) return;
    this.watched = connection;
    void connection.ended.then(() => {
      // The request that asks for the settings fails then, and knows why: the server may accept only TLS.
      if (!connection.hasReceived) return;
      const text = `the connection to ${address} was lost`;
      this.lose(new TransportError('UNAVAILABLE', text, 'unknown', true));
    });
  }

  /** @returns why the client cannot consume from this broker, or OK */
  private async learnGroup(address: string | undefined, settings: Settings, deadline: Deadline): Promise<Status> {
    if (address === undefined) return missingGroup(this.port, settings, deadline);
    const { client } = this.port;
    const { release, status, pulled, popped } = await askForGroup(this.port, address, settings, deadline);
    this.release = release;
    if (pulled !== undefined) this.known = pulled;
    if (status.code !== Code.OK || popped === undefined) return status;
    const abilities = abilitiesOf(release);
    const { fifo, maxDeliveryAttempts, backoff, lite } = deliveryOf(jsonOf(popped) as GroupConfig);
    // An int of the proxy, which overflows: what no proxy would serve is not served here either.
    const maxAttempts = maxDeliveryAttempts | 0;
    this.known = { isOrdered: fifo, lite, maxAttempts, backoff, abilities, learntAtMs: monotonicMs() };
    if (isLiteConsumer(settings) && !abilities.hasLiteTopics) return noLiteTopics(address, release);
    const binding = bindingStatus(settings, lite);
    if (binding.code !== Code.OK) return binding;
    if (!isLiteConsumer(settings)) return filterStatus(this.port, address, settings, deadline);
    const request = { code: REQUEST_CODES.getBrokerConfig };
    return deliveryStatus(address, await client.ask(address, request, deadline, { isOptional: true }));
  }

  private answerTo(settings: Settings): SessionMessage {
    const value = this.answered(settings);
    // What was pulled waits in this process, whoever asks for it.
    const isPulled = this.known?.abilities.pops === false;
    const announced = isPulled ? { suspends: true, cancelsFreely: true } : undefined;
    return { status: OK, command: { $case: 'settings', value, announced } };
  }

  private answered(settings: Settings): Settings {
    const { pubSub } = settings;
    const metric = { on: false, endpoints: undefined };
    if (pubSub?.$case === 'publishing') {
      const value = { ...pubSub.value, maxBodySize: MAX_BODY_BYTES, validateMessageType: true };
      const backoffPolicy = retryPolicy(PRODUCER_ATTEMPTS, PRODUCER_BACKOFF);
      return { ...settings, backoffPolicy, pubSub: { $case: 'publishing', value }, metric };
    }
    // Name servers know nothing of the group.
    if (pubSub?.$case !== 'subscription' || this.known === undefined) return { ...settings, pubSub: undefined, metric };
    const { lite, abilities } = this.known;
    const value = {
      ...pubSub.value,
      fifo: this.known.isOrdered,
      receiveBatchSize: LIMITS.receiveBatchSize,
      // Like a proxy: for every group, by brokers that have lite topics.
      liteSubscriptionQuota: abilities.hasLiteTopics ? (lite?.subscriptionQuota ?? DEFAULT_LITE_QUOTA) : undefined,
      maxLiteTopicSize: abilities.hasLiteTopics ? LIMITS.liteTopicLength : undefined,
      longPollingTimeout: toDuration(LIMITS.longPollingMaxMs),
    };
    const backoffPolicy = retryPolicy(this.known.maxAttempts, this.known.backoff);
    return { ...settings, backoffPolicy, pubSub: { $case: 'subscription', value }, metric };
  }

  private async *read(): AsyncGenerator<SessionMessage> {
    for (;;) {
      const next = this.waiting.shift();
      if (next !== undefined) {
        yield next;
        continue;
      }
      if (this.state.kind === 'ended') {
        if (this.state.error !== undefined) throw this.state.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private finish(error: Error | undefined): void {
    if (this.state.kind === 'ended') return;
    this.state = { kind: 'ended', error };
    this.closing.abort(error ?? abortReason(undefined));
    this.wake();
  }
}
