// The routes that one client knows: asked for at first use, kept, refreshed. How they are asked for is the client's affair.

import { StatusError } from '../protocol/grpc/status.js';
import type { MessageType } from '../protocol/model/message.js';
import { raceAbort } from '../support/abort.js';
import type { Deadline } from '../support/deadline.js';
import { RocketMQError, TransportError } from '../support/errors.js';
import { describeError, type Logger } from '../support/logger.js';
import { type RetryPace, retryUntil } from '../support/retry.js';
import type { Endpoint } from './endpoint.js';
import { DENIAL_SECONDS, topicNotFound, topicTypeMismatch } from './resource-errors.js';
import type { Route } from './route.js';

/** What a table needs of its client. */
export interface RoutePort {
  readonly pace: RetryPace;
  readonly logger: Logger;
  /** Whether the server may deny a topic that was created a moment ago. */
  mayDenyNewTopics(): boolean;
  /** Asks the server once; ends by itself within the time of one request. */
  fetch(topic: string): Promise<Route>;
}

/** What is asked for. */
export interface RouteWish {
  /** The messages that the topic must take. Default: any. */
  readonly type?: MessageType;
  /** Whether a topic that the server does not know is asked for until the deadline, if it may exist nevertheless. Default false. */
  readonly waitForTopic?: boolean;
}

/** Routes by topic. */
export class RouteTable {
  private readonly known = new Map<string, Route>();
  /** One question at a time per topic, however many senders wait for its answer. */
  private readonly asking = new Map<string, Promise<Route>>();

  constructor(private readonly port: RoutePort) {}

  /**
   * The route of a topic; from memory when known, else asked for until the deadline.
   * @throws ResourceError when the topic does not exist, or does not take messages of `type`. No error leaves the outcome
   *   open: asking for a route changes nothing
   */
  async get(topic: string, deadline: Deadline, wish: RouteWish = {}): Promise<Route> {
    const { type } = wish;
    const route = this.known.get(topic) ?? (await this.find(topic, deadline, wish));
    if (type !== undefined && route.types.length > 0 && !route.types.includes(type)) {
      throw topicTypeMismatch(topic, type, route.types);
    }
    return route;
  }

  /** The route, if it is known and takes messages of `type`. */
  peek(topic: string, type: MessageType): Route | undefined {
    const route = this.known.get(topic);
    if (route === undefined || (route.types.length > 0 && !route.types.includes(type))) return undefined;
    return route;
  }

  /** Asks anew for one topic, in the background. The known route stays until the answer is there. */
  renew(topic: string): void {
    if (!this.asking.has(topic)) void this.refreshOne(topic);
  }

  /** Asks anew for all that is known. One that cannot be had stays as it is. */
  async refresh(): Promise<void> {
    for (const topic of [...this.known.keys()]) await this.refreshOne(topic);
  }

  /** Where the queues of all known topics are. */
  endpoints(): Endpoint[] {
    return [...this.known.values()].flatMap(({ queues }) => queues.map(({ endpoint }) => endpoint));
  }

  private async refreshOne(topic: string): Promise<void> {
    await this.ask(topic).catch((error) => {
      this.port.logger.debug('a route could not be refreshed', { topic, error: describeError(error) });
    });
  }

  private async find(topic: string, deadline: Deadline, { type, waitForTopic }: RouteWish): Promise<Route> {
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
      if (isMissing(error)) throw topicNotFound(topic, type, error);
      throw withoutEffect(topic, deadline, error);
    }
  }

  private announceWait(topic: string, type: MessageType | undefined, deadline: Deadline): void {
    const { command } = topicNotFound(topic, type);
    const text =
      `the server does not know topic "${topic}"; waiting for it, since a server may deny a new topic for about ` +
      `${DENIAL_SECONDS} s after its creation`;
    const waitMs = Math.round(deadline.remainingMs());
    this.port.logger.warn(text, { topic, waitMs, ifItDoesNotExist: command });
  }

  private ask(topic: string): Promise<Route> {
    const asked = this.asking.get(topic);
    if (asked !== undefined) return asked;
    const asking = this.port
      .fetch(topic)
      .then((route) => {
        this.known.set(topic, route);
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

/** Whatever befell the question, the operation behind it was not begun. */
function withoutEffect(topic: string, deadline: Deadline, error: unknown): unknown {
  if (!RocketMQError.is(error) || error.outcome !== 'unknown') return error;
  const code = error instanceof TransportError && error.code === 'DEADLINE_EXCEEDED' ? error.code : 'UNAVAILABLE';
  const message = `${deadline.what}: the route of topic "${topic}" could not be had, so nothing was sent: ${error.message}`;
  return new TransportError(code, message, 'not-sent', error.retryable, { cause: error });
}
