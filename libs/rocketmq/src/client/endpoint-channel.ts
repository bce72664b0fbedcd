// One endpoint's channel. All calls of an endpoint share one connection, because a client's state (settings, transactions, receipt
// handles) is in the one proxy that it talks to. When an address fails, new calls go to the next one. A connection that is open but
// silent (packets are dropped and no end is reported) is replaced.

import { AbortSource, onAbort, reasonOf } from '../support/abort-source.js';
import { monotonicMs } from '../support/deadline.js';
import { StateError, TransportError } from '../support/errors.js';
import type { Channel, ChannelFactory, WireCall, WireStream } from './channel.js';
import { addressText, type Endpoint } from './endpoint.js';

/** How long the peer may take to answer a ping. */
const [MIN_PING_TIMEOUT_MS, MAX_PING_TIMEOUT_MS] = [500, 2_000];
/** The server's gRPC library closes a connection at the third ping in five minutes without data from the server in between. */
const MAX_PINGS = 2;
/** How often, at most, an open connection is left because of what its server says. */
const MOVE_EVERY_MS = 10_000;
/** Every client receives at least one answer in this time, such as that to a heartbeat, however short its timeouts are. */
const MAX_LIVENESS_CHECK_MS = 15_000;

/** A connection on which calls time out although the server may be alive. */
interface LivenessCheck {
  /** How many answers had been received when the check began. */
  readonly receivedCount: number;
  readonly sinceMs: number;
  pings: number;
  isPinging: boolean;
  /** When the next ping may be sent: calls that fail together cause only one. */
  nextPingAtMs: number;
}

/** A channel to one address, and its open streams. */
interface AddressConnection {
  readonly address: string;
  readonly channel: Channel;
  readonly streams: Set<WireStream>;
  readonly polls: Set<AbortSource>;
  livenessCheck: LivenessCheck | undefined;
}

/** A {@link Channel} over all addresses of an endpoint, on one of them at a time. */
export class EndpointChannel implements Channel {
  private index = 0;
  private current: AddressConnection;
  /** Connections that accept no more calls and whose last calls have not ended. */
  private readonly retired = new Set<AddressConnection>();
  /** How long a connection may take to answer a ping. The timeout of a call with less time than this proves nothing. */
  private readonly pingTimeoutMs: number;
  private closed = false;
  private movedAtMs = Number.NEGATIVE_INFINITY;

  /** @param requestTimeoutMs how long a request may take by default */
  constructor(
    private readonly endpoint: Endpoint,
    private readonly open: ChannelFactory,
    requestTimeoutMs: number,
  ) {
    // Half of it, so that a retry in progress by then fails early enough for one more.
    this.pingTimeoutMs = Math.max(MIN_PING_TIMEOUT_MS, Math.min(requestTimeoutMs / 2, MAX_PING_TIMEOUT_MS));
    this.current = this.newConnection();
  }

  get isConnected(): boolean {
    return this.current.channel.isConnected;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  get receivedCount(): number {
    return this.current.channel.receivedCount;
  }

  get isEmbeddedBroker(): boolean {
    return this.current.channel.isEmbeddedBroker;
  }

  isAlive(timeoutMs: number): Promise<boolean> {
    return this.closed ? Promise.resolve(false) : this.current.channel.isAlive(timeoutMs);
  }

  unary(call: WireCall, request: Buffer): Promise<Uint8Array> {
    const connection = this.usable();
    const { receivedCount } = connection.channel;
    const answer = connection.channel.unary(call, request);
    answer.catch((error) => this.leaveIfLost(connection, error, receivedCount, call.timeoutMs));
    return answer;
  }

  async serverStream(call: WireCall, request: Buffer, onMessage: (message: Uint8Array) => void): Promise<void> {
    const connection = this.usable();
    const { receivedCount } = connection.channel;
    const signal = new AbortSource();
    const unlisten = onAbort(call.signal, () => signal.abort(reasonOf(call.signal)));
    connection.polls.add(signal);
    try {
      await connection.channel.serverStream({ ...call, signal }, request, onMessage);
    } catch (error) {
      this.leaveIfLost(connection, error, receivedCount, call.timeoutMs);
      throw error;
    } finally {
      connection.polls.delete(signal);
      unlisten();
    }
  }

  stream(call: WireCall): WireStream {
    const connection = this.usable();
    const stream = connection.channel.stream(call);
    connection.streams.add(stream);
    const { receivedCount } = connection.channel;
    const leaveIfLost = (error: unknown): void => this.leaveIfLost(connection, error, receivedCount, undefined);
    async function* frames(): AsyncIterable<Uint8Array> {
      try {
        yield* stream.frames;
      } catch (error) {
        leaveIfLost(error);
        throw error;
      } finally {
        connection.streams.delete(stream);
      }
    }
    return { ...stream, frames: frames() };
  }

  /**
   * Leaves the connection for a new one, to the next address if there are several. Calls in flight end where they began.
   * @returns false when it was left a short while ago: a server that asks again and again is not obeyed
   */
  reconnect(): boolean {
    if (this.closed || !this.mayMove()) return false;
    this.moveOn();
    return true;
  }

  retire(): Promise<void> {
    this.closed = true;
    return this.retireConnection(this.current);
  }

  close(): void {
    this.closed = true;
    for (const { channel } of [this.current, ...this.retired]) channel.close();
  }

  private usable(): AddressConnection {
    if (this.closed) throw new StateError('CLOSED', 'the connection is closed; nothing was sent');
    return this.current;
  }

  /**
   * Leaves the connection if this failure shows that it is lost.
   * @param receivedBefore how many answers had been received when the failed call began
   * @param waitedMs the timeout of the call; undefined for one without a timeout
   */
  private leaveIfLost(
    connection: AddressConnection,
    error: unknown,
    receivedBefore: number,
    waitedMs: number | undefined,
  ): void {
    // When several calls fail together, the first one switches the address for all. Nothing is opened after a close.
    if (this.closed || connection !== this.current) return;
    // A channel to the only address reconnects by itself when it knows that the connection broke.
    const isGone = this.endpoint.addresses.length > 1 && this.isGone(connection.channel, error, waitedMs);
    // A server can answer UNAVAILABLE for long, and so can all others: each switch costs a connection and its streams.
    if (isGone && (!connection.channel.isConnected || this.mayMove())) this.moveOn();
    else if (isOverdue(error) && connection.channel.isConnected && connection.channel.receivedCount === receivedBefore)
      void this.checkLiveness(connection, waitedMs ?? this.pingTimeoutMs);
  }

  private mayMove(): boolean {
    return monotonicMs() - this.movedAtMs >= MOVE_EVERY_MS;
  }

  /** A rejected or broken connection, or one that was not established in time (packets may be lost silently). */
  private isGone(channel: Channel, error: unknown, waitedMs = this.pingTimeoutMs): boolean {
    if (!(error instanceof TransportError)) return false;
    if (error.code === 'UNAVAILABLE') return true;
    if (error.code === 'RPC_FAILED' || error.code === 'ABORTED' || channel.isConnected) return false;
    return error.code !== 'DEADLINE_EXCEEDED' || waitedMs >= this.pingTimeoutMs;
  }

  /** The server may only be slow, or this process too busy to read its answers: a cheap ping finds out. */
  private async checkLiveness(connection: AddressConnection, waitedMs: number): Promise<void> {
    const { channel } = connection;
    const check = livenessCheckOf(connection);
    if (check.isPinging || monotonicMs() < check.nextPingAtMs) return;
    if (check.pings === MAX_PINGS) {
      // A server that answers only pings is left, too: another server may be behind the same address.
      if (waitedMs >= this.pingTimeoutMs || monotonicMs() - check.sinceMs >= MAX_LIVENESS_CHECK_MS) this.moveOn();
      return;
    }
    check.pings++;
    check.isPinging = true;
    const isAlive = await channel.isAlive(this.pingTimeoutMs);
    check.isPinging = false;
    check.nextPingAtMs = monotonicMs() + this.pingTimeoutMs;
    if (!isAlive && channel.receivedCount === check.receivedCount && !this.closed && connection === this.current)
      this.abandon(connection);
  }

  /** New calls go to the next address, or over a new connection to the only one. Calls in flight end where they began. */
  private moveOn(): void {
    const connection = this.current;
    this.movedAtMs = monotonicMs();
    this.index = (this.index + 1) % this.endpoint.addresses.length;
    this.current = this.newConnection();
    void this.retireConnection(connection);
    // The new server does not have the settings; a stream that stays on the old one would hide that.
    for (const stream of connection.streams) stream.cancel();
  }

  /** The connection is dead, so its calls fail immediately. */
  private abandon(connection: AddressConnection): void {
    this.moveOn();
    const lost = new TransportError('UNAVAILABLE', `the connection to ${connection.address} was lost`, 'unknown', true);
    for (const poll of connection.polls) poll.abort(lost);
    connection.channel.close();
  }

  private async retireConnection(connection: AddressConnection): Promise<void> {
    this.retired.add(connection);
    await connection.channel.retire();
    this.retired.delete(connection);
  }

  private newConnection(): AddressConnection {
    // An endpoint has at least one address, and `index` is always in range.
    const address = addressText(this.endpoint.addresses[this.index] as Endpoint['addresses'][number]);
    return { address, channel: this.open(address), streams: new Set(), polls: new Set(), livenessCheck: undefined };
  }
}

function livenessCheckOf(connection: AddressConnection): LivenessCheck {
  const { livenessCheck: check, channel } = connection;
  if (check !== undefined && (check.isPinging || check.receivedCount === channel.receivedCount)) return check;
  connection.livenessCheck = {
    receivedCount: channel.receivedCount,
    sinceMs: monotonicMs(),
    pings: 0,
    isPinging: false,
    nextPingAtMs: 0,
  };
  return connection.livenessCheck;
}

/** A call that was written and not answered in time. */
function isOverdue(error: unknown): boolean {
  return error instanceof TransportError && error.code === 'DEADLINE_EXCEEDED' && error.outcome === 'unknown';
}
