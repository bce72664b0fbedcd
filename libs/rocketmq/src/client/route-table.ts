// The route cache of one client: filled at first use, then refreshed. The client sends the requests.

import { StatusError } from '../protocol/grpc/status.js';
import type { MessageType } from '../protocol/model/message.js';
import { raceAbort } from '../support/abort.js';
import { sleep } from '../support/clock.js';
import { type Deadline, monotonicMs } from '../support/deadline.js';
import { RocketMQError, TransportError, withoutEffect } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import { type RetryPace, retryUntil } from '../support/retry.js';
import type { Connection } from './connection.js';
import { type Endpoint, endpointKey } from './endpoint.js';
import { DENIAL_SECONDS, type ResourceError, topicNotFound, topicTypeMismatch } from './resource-errors.js';
import type { Route } from './route.js';

/** What a route table needs from its client. */
interface RoutePort {
  readonly pace: RetryPace;
  readonly connection: Pick<Connection, 'logger' | 'command'>;
  /** Whether the server may report a topic as missing that was created a moment ago. */
  mayDenyNewTopics(): boolean;
  /** Sends one request to the server; ends by itself within the timeout of one request. */
  fetch(topic: string): Promise<Route>;
}

/** The options of a lookup. */
export interface RouteOptions {
  /** The type of message that the topic must accept. Default: any. */
  readonly type?: MessageType;
  /** Whether to retry until the deadline for an unknown topic that may exist nevertheless. Default false. */
  readonly waitForTopic?: boolean;
}

interface KnownRoute {
  readonly route: Route;
  readonly atMs: number;
  /** Whether an earlier question has let the server renew what it knows. */
  readonly isRenewed: boolean;
}

/** How old a route may be that says what a proxy chooses at present. */
const FRESH_MS = 1_000;
/** A proxy renews what is older than 20 s when it is asked, and asked again within this time it has what it renewed. @see ProxyConfig of the server */
const RENEWED_MS = 10_000;
/** How long the renewal takes. */
const RENEWAL_MS = 100;

/** Routes by topic. */
export class RouteTable {
  private readonly known = new Map<string, KnownRoute>();
  /** One request at a time per topic, however many senders wait for the answer. */
  private readonly asking = new Map<string, Promise<Route>>();

  constructor(private readonly port: RoutePort) {}

  /**
   * The route of a topic; from the cache if known, otherwise requested until the deadline.
   * @throws ResourceError when the topic does not exist, or does not accept messages of `type`. No error has the outcome `unknown`,
   *   because a route request changes nothing
   */
  async get(topic: string, deadline: Deadline, options: RouteOptions = {}): Promise<Route> {
    return this.accepting(this.known.get(topic)?.route ?? (await this.find(topic, deadline, options)), options);
  }

  /**
   * Like {@link get}, but not older than {@link FRESH_MS}, and not the first answer after a while: a proxy that was not asked for the topic
   * answers from its cache, and renews the cache because it was asked.
   */
  async fresh(topic: string, deadline: Deadline, options: RouteOptions = {}): Promise<Route> {
    for (;;) {
      const known = this.known.get(topic);
      const ageMs = known === undefined ? Number.POSITIVE_INFINITY : monotonicMs() - known.atMs;
      if (known?.isRenewed === true && ageMs < FRESH_MS) return this.accepting(known.route, options);
      if (ageMs < RENEWAL_MS) await this.pause(topic, RENEWAL_MS - ageMs, deadline);
      else await this.find(topic, deadline, options);
    }
  }

  /** The route, if it is cached and accepts messages of `type`. */
  peek(topic: string, type: MessageType): Route | undefined {
    const route = this.known.get(topic)?.route;
    if (route === undefined || (route.types.length > 0 && !route.types.includes(type))) return undefined;
    return route;
  }

  /** Whether queues of the topic are known. */
  hasQueues(topic: string): boolean {
    return (this.known.get(topic)?.route.queues.length ?? 0) > 0;
  }

  /** Refreshes the route of one topic, in the background. The cached route is used until then. */
  renew(topic: string): void {
    if (!this.asking.has(topic)) void this.refreshOne(topic);
  }

  /** Refreshes all cached routes. A route whose refresh fails stays as it is. */
  async refresh(): Promise<void> {
    for (const topic of [...this.known.keys()]) await this.refreshOne(topic);
  }

  /** Where the queues of all known topics are. */
  endpoints(): Endpoint[] {
    return [...this.known.values()].flatMap(({ route: { queues } }) => queues.map(({ endpoint }) => endpoint));
  }

  /** The names of the brokers that are reached there. @param key see `endpointKey` */
  brokersAt(key: string): string[] {
    const queues = [...this.known.values()].flatMap(({ route }) => route.queues);
    return [
      ...new Set(queues.filter(({ endpoint }) => endpointKey(endpoint) === key).map(({ brokerName }) => brokerName)),
    ];
  }

  private async refreshOne(topic: string): Promise<void> {
    await this.ask(topic).catch((error) => {
      this.port.connection.logger.debug('a route could not be refreshed', { topic, error: describeError(error) });
    });
  }

  private async find(topic: string, deadline: Deadline, { type, waitForTopic }: RouteOptions): Promise<Route> {
    const { pace } = this.port;
    let isAnnounced = false;
    const mayRepeat = (error: RocketMQError): boolean => {
      if (!isMissing(error)) return error.retryable;
      if (waitForTopic !== true || !this.port.mayDenyNewTopics()) return false;
      if (!isAnnounced) this.announceWait(topic, type, deadline);
      isAnnounced = true;
      return true;
    };
    try {
      return await retryUntil(deadline, pace, () => raceAbort(this.ask(topic), deadline.signal), mayRepeat);
    } catch (error) {
      if (isMissing(error)) throw this.missing(topic, type, error);
      throw notStarted(topic, deadline, error);
    }
  }

  private know(topic: string, route: Route): void {
    const atMs = monotonicMs();
    const earlier = this.known.get(topic);
    const sinceMs = earlier === undefined ? Number.POSITIVE_INFINITY : atMs - earlier.atMs;
    const isRenewed = sinceMs <= RENEWED_MS && (earlier?.isRenewed === true || sinceMs >= RENEWAL_MS);
    // Questions that follow each other closely do not put off the renewal.
    const isSoon = earlier?.isRenewed === false && sinceMs < RENEWAL_MS;
    this.known.set(topic, { route, atMs: isSoon ? earlier.atMs : atMs, isRenewed });
  }

  /** @throws with an error whose outcome is not `unknown` */
  private async pause(topic: string, pauseMs: number, deadline: Deadline): Promise<void> {
    await sleep(this.port.pace.clock, pauseMs, deadline.signal).catch((error) => {
      throw notStarted(topic, deadline, error);
    });
  }

  private missing(topic: string, type: MessageType | undefined, cause?: unknown): ResourceError {
    return topicNotFound(this.port.connection.command, topic, type, this.port.mayDenyNewTopics(), cause);
  }

  private announceWait(topic: string, type: MessageType | undefined, deadline: Deadline): void {
    const { command } = this.missing(topic, type);
    const text =
      `the server does not know topic "${topic}"; waiting for it, because a server may report a new topic as missing for about ` +
      `${DENIAL_SECONDS} s after its creation`;
    const waitMs = Math.round(deadline.remainingMs());
    this.port.connection.logger.warn(text, { topic, waitMs, ifItDoesNotExist: command });
  }

  /** @throws ResourceError when it does not accept messages of the type */
  private accepting(route: Route, { type }: RouteOptions): Route {
    if (type === undefined || route.types.length === 0 || route.types.includes(type)) return route;
    throw topicTypeMismatch(this.port.connection.command, route.topic, type, route.types);
  }

  private ask(topic: string): Promise<Route> {
    const asked = this.asking.get(topic);
    if (asked !== undefined) return asked;
    const asking = this.port
      .fetch(topic)
      .then((route) => {
        this.know(topic, route);
        return route;
      })
      .finally(() => this.asking.delete(topic));
    this.asking.set(topic, asking);
    return asking;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof StatusError && error.code === 'TOPIC_NOT_FOUND';
}

/** However the route request failed, the operation that needed it was not started. */
function notStarted(topic: string, deadline: Deadline, error: unknown): unknown {
  if (!RocketMQError.is(error) || error.outcome !== 'unknown') return error;
  const code = error instanceof TransportError && error.code === 'DEADLINE_EXCEEDED' ? error.code : 'UNAVAILABLE';
  const message = `${deadline.what}: the route of topic "${topic}" could not be fetched; nothing was sent: ${withoutEffect(error).message}`;
  return new TransportError(code, message, 'not-sent', error.retryable, { cause: error });
}
