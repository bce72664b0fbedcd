// Sends one topic's ordinary messages to one endpoint. A message never waits to be batched: it is sent immediately, unless enough
// requests are in flight. Messages that queue up behind those share a request.

import type { ServerCapabilities } from '../../client/capabilities.js';
import type { Client } from '../../client/client.js';
import { type Endpoint, endpointKey } from '../../client/endpoint.js';
import type { Queue, Route } from '../../client/route.js';
import type { Message as WireMessage } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../../protocol/grpc/status.js';
import { listenTo } from '../../support/abort.js';
import { type ScheduledTask, SystemClock } from '../../support/clock.js';
import { type Deadline, monotonicMs } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import type { BatchSafety } from './batching.js';
import { requestOne, requestSend, type SendResult, type StoredPlace } from './send-request.js';

/** With fewer requests, the server would idle while this process writes; with more, each would carry fewer messages. */
const MAX_REQUESTS = 4;
/** Waiting messages are spread over the requests that may be sent, with at least this many in each. */
const MIN_MESSAGES_PER_REQUEST = 16;
/** 1,024 are known to work. */
const MAX_MESSAGES = 512;
/** The server accepts 4 MiB in total; a larger request would only delay those behind it. */
const MAX_REQUEST_BYTES = 1024 * 1024;
/** The approximate size of a message beyond body, tag, keys and properties. */
const MESSAGE_OVERHEAD_BYTES = 256;
/** Requests in flight may hang: a message that has waited for this share of its timeout is sent anyway. */
const WAITING_SHARE = 0.25;

/** A message that is ready to be sent. */
interface LaneMessage {
  readonly wire: WireMessage;
  readonly deadline: Deadline;
  /** A description of the operation. */
  readonly what: string;
}

/** What a lane needs from its producer. */
interface LanePort {
  readonly client: Client;
  readonly safety: BatchSafety;
  /** The largest body that the server accepts. */
  maxBodyBytes(): number;
}

/** A message in the lane, with the callbacks of its caller. */
interface QueuedSend extends LaneMessage {
  readonly bytes: number;
  /** When it is sent at the latest, in `monotonicMs`. */
  readonly sendByMs: number;
  readonly resolve: (place: StoredPlace) => void;
  readonly reject: (error: unknown) => void;
  /** Stops listening to its deadline. */
  unwatch: (() => void) | undefined;
}

/** Sends all ordinary messages of one topic to one endpoint. */
class SendLane {
  private readonly clock = new SystemClock();
  private waiting: QueuedSend[] = [];
  /** Of the waiting messages. */
  private route: Route | undefined;
  private inFlight = 0;
  private isFlushDue = false;
  /** Protects waiting messages from requests that hang. */
  private guard: { readonly task: ScheduledTask; readonly atMs: number } | undefined;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly port: LanePort,
  ) {}

  /**
   * Sends a message; in its own request unless the brokers are known to support several.
   * @throws StatusError or TransportError, possibly shared by all messages of its request; the reason of the caller's signal
   */
  send(message: LaneMessage, route: Route): Promise<StoredPlace> {
    if (this.port.safety.allows(route, this.server)) return this.join(message, route);
    const { wire, what, deadline } = message;
    return requestOne(this.port.client, this.endpoint, wire, what, deadline);
  }

  /** Of the server that the lane leads to at present. */
  private get server(): ServerCapabilities {
    return this.port.client.connection.capabilities(this.endpoint);
  }

  private join({ wire, deadline, what }: LaneMessage, route: Route): Promise<StoredPlace> {
    return new Promise((resolve, reject) => {
      const nowMs = monotonicMs();
      const sendByMs = nowMs + (deadline.endsAtMs - nowMs) * WAITING_SHARE;
      const bytes = sizeOf(wire);
      const queued: QueuedSend = { wire, deadline, what, bytes, sendByMs, resolve, reject, unwatch: undefined };
      // Timers and listeners are created only when needed: nearly every message is stored long before its deadline.
      if (deadline.caller !== undefined) this.watch(queued);
      this.route = route;
      this.waiting.push(queued);
      if (this.inFlight < MAX_REQUESTS) this.flushSoon();
      else this.guardUntil(sendByMs);
    });
  }

  /** Runs at the end of this turn, because the answer to a request wakes as many callers as it had messages. */
  private flushSoon(): void {
    if (this.isFlushDue) return;
    this.isFlushDue = true;
    process.nextTick(() => {
      this.isFlushDue = false;
      this.flush(MAX_REQUESTS - this.inFlight);
    });
  }

  /** @param requests how many may be sent */
  private flush(requests: number): void {
    // What was known when they came may not be true any more.
    const mayShare = this.route !== undefined && this.port.safety.allows(this.route, this.server);
    for (let left = requests; this.waiting.length > 0 && left > 0; left--) {
      const share = Number.isFinite(left) ? Math.ceil(this.waiting.length / left) : MAX_MESSAGES;
      void this.sendTogether(
        this.take(mayShare ? Math.min(Math.max(share, MIN_MESSAGES_PER_REQUEST), MAX_MESSAGES) : 1),
      );
    }
    this.dropGuard();
    const [first] = this.waiting;
    if (first !== undefined)
      this.guardUntil(this.waiting.reduce((least, one) => Math.min(least, one.sendByMs), first.sendByMs));
  }

  private take(maxMessages: number): QueuedSend[] {
    const maxBytes = Math.min(MAX_REQUEST_BYTES, this.port.maxBodyBytes());
    let bytes = 0;
    let count = 0;
    for (const queued of this.waiting) {
      bytes += queued.bytes;
      if (count === maxMessages || (count > 0 && bytes > maxBytes)) break;
      count++;
    }
    if (count < this.waiting.length) return this.waiting.splice(0, count);
    const all = this.waiting;
    this.waiting = [];
    return all;
  }

  private async sendTogether(sends: QueuedSend[]): Promise<void> {
    this.inFlight++;
    try {
      await this.request(sends);
    } catch (error) {
      if (sends.length > 1 && isRejected(error)) {
        // It had no effect, and a single message may be the cause: each is sent again in its own request.
        for (const queued of sends) void this.sendTogether([queued]);
      } else {
        for (const queued of sends) fail(queued, error);
      }
    } finally {
      this.inFlight--;
      if (this.waiting.length > 0) this.flushSoon();
    }
  }

  private async request(sends: QueuedSend[]): Promise<void> {
    const { client } = this.port;
    const [first] = sends;
    if (first === undefined) return;
    if (sends.length === 1) {
      succeed(first, await requestOne(client, this.endpoint, first.wire, first.what, first.deadline));
      return;
    }
    const messages: WireMessage[] = [];
    const { requestTimeoutMs } = client.connection;
    const endsAtMs = monotonicMs() + requestTimeoutMs;
    let lastAtMs = 0;
    // The brokers give all of them the timestamp of the first, so all get the time at which they are sent.
    const bornTimestamp = new Date(client.connection.clock.nowMs());
    for (const queued of sends) {
      const { deadline, wire } = queued;
      if (wire.systemProperties !== undefined) wire.systemProperties.bornTimestamp = bornTimestamp;
      messages.push(wire);
      lastAtMs = Math.max(lastAtMs, deadline.endsAtMs);
      // It may end while others of its request continue.
      if (deadline.endsAtMs < endsAtMs && queued.unwatch === undefined) this.watch(queued);
    }
    const timeoutMs = Math.max(1, requestTimeoutMs + Math.min(0, lastAtMs - endsAtMs));
    const what = `send of ${messages.length} messages to "${first.wire.topic?.name}" in one request`;
    const results = await requestSend(client, this.endpoint, messages, {
      what,
      timeoutMs,
      signal: undefined,
    });
    sends.forEach((queued, index) => {
      // There are as many results as messages.
      const result = results[index] as SendResult;
      if (result instanceof StatusError) fail(queued, result);
      else succeed(queued, result);
    });
  }

  /** Ends a message because of its own deadline or caller, whatever its state. */
  private watch(queued: QueuedSend): void {
    const { signal } = queued.deadline;
    const end = (): void => {
      const index = this.waiting.indexOf(queued);
      if (index >= 0) this.waiting.splice(index, 1);
      if (this.waiting.length === 0) this.dropGuard();
      fail(queued, index >= 0 && queued.deadline.hasPassed ? notSentInTime(queued) : signal.reason);
    };
    queued.unwatch = listenTo(signal, end);
    if (signal.aborted) end();
  }

  private guardUntil(sendByMs: number): void {
    if (this.guard !== undefined && this.guard.atMs <= sendByMs) return;
    this.dropGuard();
    const task = this.clock.schedule(sendByMs - monotonicMs(), () => this.flush(Number.POSITIVE_INFINITY));
    this.guard = { task, atMs: sendByMs };
  }

  private dropGuard(): void {
    this.guard?.task.cancel();
    this.guard = undefined;
  }
}

/** One lane for each topic and endpoint. */
export class SendLanes {
  private readonly byTopic = new Map<string, Map<string, SendLane>>();
  /** Avoids computing the key for each message. Queues are new objects with each answer about a route. */
  private readonly byQueue = new WeakMap<Queue, SendLane>();

  constructor(private readonly port: LanePort) {}

  /** @param queue of the route */
  lane(queue: Queue, route: Route): SendLane {
    const known = this.byQueue.get(queue);
    if (known !== undefined) return known;
    const lanes = this.lanesOf(route);
    const key = endpointKey(queue.endpoint);
    const lane = lanes.get(key) ?? new SendLane(queue.endpoint, this.port);
    lanes.set(key, lane);
    this.byQueue.set(queue, lane);
    return lane;
  }

  /** Called for a topic with a new route: lanes to endpoints that are not in it are removed. */
  private lanesOf({ topic, queues }: Route): Map<string, SendLane> {
    const lanes = this.byTopic.get(topic) ?? new Map<string, SendLane>();
    this.byTopic.set(topic, lanes);
    const named = new Set(queues.map(({ endpoint }) => endpointKey(endpoint)));
    for (const key of lanes.keys()) if (!named.has(key)) lanes.delete(key);
    return lanes;
  }
}

function succeed(queued: QueuedSend, place: StoredPlace): void {
  queued.unwatch?.();
  queued.resolve(place);
}

function fail(queued: QueuedSend, error: unknown): void {
  queued.unwatch?.();
  queued.reject(error);
}

function isRejected(error: unknown): boolean {
  return error instanceof StatusError && error.outcome === 'rejected' && !error.retryable;
}

function notSentInTime({ what, deadline }: QueuedSend): TransportError {
  const text = `${what}: earlier requests kept it waiting for ${deadline.timeoutMs} ms; nothing was sent`;
  return new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
}

/** The approximate bytes that count against the server's limit: non-ASCII characters take more than one, for which there is a margin. */
function sizeOf({ body, userProperties, systemProperties }: WireMessage): number {
  let size = MESSAGE_OVERHEAD_BYTES + body.length + (systemProperties?.tag?.length ?? 0);
  for (const key of systemProperties?.keys ?? []) size += key.length + 1;
  for (const name in userProperties) size += name.length + (userProperties[name]?.length ?? 0) + 2;
  return size;
}
