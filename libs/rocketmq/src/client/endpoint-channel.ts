// One endpoint's channel. All calls of an endpoint share one connection, because a client's state (settings, transactions, receipt
// handles) is in the one proxy that it talks to. When an address fails, new calls go to the next one. A connection that is open but
// silent (packets are dropped and no end is reported) is replaced.

import { AbortSource, onAbort, reasonOf } from '../support/abort-source.js';
import { monotonicMs } from '../support/deadline.js';
import { StateError, TransportError } from '../support/errors.js';
import type { Channel, ChannelFactory, WireCall, WireStream } from './channel.js';
import { addressText, type Endpoint } from './endpoint.js';

/** How long the peer may take to answer a ping. */
const [MIN_PATIENCE_MS, MAX_PATIENCE_MS] = [500, 2_000];
/** The server's gRPC library closes a connection at the third ping in five minutes without data from the server in between. */
const MAX_QUESTIONS = 2;
/** How often, at most, an open connection is left because of what its server says. */
const MOVE_EVERY_MS = 10_000;
/** Every client receives at least one answer in this time, such as that to a heartbeat, however short its timeouts are. */
const MAX_DOUBT_MS = 15_000;

/** A connection on which calls time out although the server may be alive. */
interface Doubt {
  /** How many answers had been received when the doubt arose. */
  readonly heard: number;
  readonly sinceMs: number;
  questions: number;
  isAsking: boolean;
  /** When the next ping may be sent: calls that fail together cause only one. */
  nextAtMs: number;
}

/** A channel to one address, and its open streams. */
interface Line {
  readonly address: string;
  readonly channel: Channel;
  readonly streams: Set<WireStream>;
  readonly polls: Set<AbortSource>;
  doubt: Doubt | undefined;
}

/** A {@link Channel} over all addresses of an endpoint, on one of them at a time. */
export class EndpointChannel implements Channel {
  private index = 0;
  private current: Line;
  /** Lines that accept no more calls and whose last calls have not ended. */
  private readonly retired = new Set<Line>();
  /** Of the connection. The timeout of a call with less time than this proves nothing. */
  private readonly patienceMs: number;
  private closed = false;
  private movedAtMs = Number.NEGATIVE_INFINITY;

  /** @param requestTimeoutMs how long a request may take by default */
  constructor(
    private readonly endpoint: Endpoint,
    private readonly open: ChannelFactory,
    requestTimeoutMs: number,
  ) {
    // Half of it, so that a retry in progress by then fails early enough for one more.
    this.patienceMs = Math.max(MIN_PATIENCE_MS, Math.min(requestTimeoutMs / 2, MAX_PATIENCE_MS));
    this.current = this.newLine();
  }

  get isConnected(): boolean {
    return this.current.channel.isConnected;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  get heard(): number {
    return this.current.channel.heard;
  }

  get isEmbeddedBroker(): boolean {
    return this.current.channel.isEmbeddedBroker;
  }

  isAlive(timeoutMs: number): Promise<boolean> {
    return this.closed ? Promise.resolve(false) : this.current.channel.isAlive(timeoutMs);
  }

  unary(call: WireCall, request: Buffer): Promise<Uint8Array> {
    const line = this.usable();
    const { heard } = line.channel;
    const answer = line.channel.unary(call, request);
    answer.catch((error) => this.judge(line, error, heard, call.timeoutMs));
    return answer;
  }

  async serverStream(call: WireCall, request: Buffer, onMessage: (message: Uint8Array) => void): Promise<void> {
    const line = this.usable();
    const { heard } = line.channel;
    const signal = new AbortSource();
    const unlisten = onAbort(call.signal, () => signal.abort(reasonOf(call.signal)));
    line.polls.add(signal);
    try {
      await line.channel.serverStream({ ...call, signal }, request, onMessage);
    } catch (error) {
      this.judge(line, error, heard, call.timeoutMs);
      throw error;
    } finally {
      line.polls.delete(signal);
      unlisten();
    }
  }

  stream(call: WireCall): WireStream {
    const line = this.usable();
    const stream = line.channel.stream(call);
    line.streams.add(stream);
    const { heard } = line.channel;
    const judge = (error: unknown): void => this.judge(line, error, heard, undefined);
    async function* frames(): AsyncIterable<Uint8Array> {
      try {
        yield* stream.frames;
      } catch (error) {
        judge(error);
        throw error;
      } finally {
        line.streams.delete(stream);
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
    return this.retireLine(this.current);
  }

  close(): void {
    this.closed = true;
    for (const { channel } of [this.current, ...this.retired]) channel.close();
  }

  private usable(): Line {
    if (this.closed) throw new StateError('CLOSED', 'the connection is closed; nothing was sent');
    return this.current;
  }

  /**
   * Leaves the connection if this failure shows that it is lost.
   * @param heardBefore how many answers had been received when the failed call began
   * @param waitedMs the timeout of the call; undefined for one without a timeout
   */
  private judge(line: Line, error: unknown, heardBefore: number, waitedMs: number | undefined): void {
    // When several calls fail together, the first one switches the address for all. Nothing is opened after a close.
    if (this.closed || line !== this.current) return;
    // A channel to the only address reconnects by itself when it knows that the connection broke.
    const isGone = this.endpoint.addresses.length > 1 && this.isGone(line.channel, error, waitedMs);
    // A server can answer UNAVAILABLE for long, and so can all others: each switch costs a connection and its streams.
    if (isGone && (!line.channel.isConnected || this.mayMove())) this.moveOn();
    else if (isOverdue(error) && line.channel.isConnected && line.channel.heard === heardBefore)
      void this.suspect(line, waitedMs ?? this.patienceMs);
  }

  private mayMove(): boolean {
    return monotonicMs() - this.movedAtMs >= MOVE_EVERY_MS;
  }

  /** A refused or broken connection, or one that was not established in time (packets may be lost silently). */
  private isGone(channel: Channel, error: unknown, waitedMs = this.patienceMs): boolean {
    if (!(error instanceof TransportError)) return false;
    if (error.code === 'UNAVAILABLE') return true;
    if (error.code === 'RPC_FAILED' || error.code === 'ABORTED' || channel.isConnected) return false;
    return error.code !== 'DEADLINE_EXCEEDED' || waitedMs >= this.patienceMs;
  }

  /** The server may only be slow, or this process too busy to read its answers: a cheap ping finds out. */
  private async suspect(line: Line, waitedMs: number): Promise<void> {
    const { channel } = line;
    const doubt = doubtOn(line);
    if (doubt.isAsking || monotonicMs() < doubt.nextAtMs) return;
    if (doubt.questions === MAX_QUESTIONS) {
      // A server that answers only pings is left, too: another server may be behind the same address.
      if (waitedMs >= this.patienceMs || monotonicMs() - doubt.sinceMs >= MAX_DOUBT_MS) this.moveOn();
      return;
    }
    doubt.questions++;
    doubt.isAsking = true;
    const isAlive = await channel.isAlive(this.patienceMs);
    doubt.isAsking = false;
    doubt.nextAtMs = monotonicMs() + this.patienceMs;
    if (!isAlive && channel.heard === doubt.heard && !this.closed && line === this.current) this.abandon(line);
  }

  /** New calls go to the next address, or over a new connection to the only one. Calls in flight end where they began. */
  private moveOn(): void {
    const line = this.current;
    this.movedAtMs = monotonicMs();
    this.index = (this.index + 1) % this.endpoint.addresses.length;
    this.current = this.newLine();
    void this.retireLine(line);
    // The new server does not have the settings; a stream that stays on the old one would hide that.
    for (const stream of line.streams) stream.cancel();
  }

  /** The connection is dead, so its calls fail immediately. */
  private abandon(line: Line): void {
    this.moveOn();
    const lost = new TransportError('UNAVAILABLE', `the connection to ${line.address} was lost`, 'unknown', true);
    for (const poll of line.polls) poll.abort(lost);
    line.channel.close();
  }

  private async retireLine(line: Line): Promise<void> {
    this.retired.add(line);
    await line.channel.retire();
    this.retired.delete(line);
  }

  private newLine(): Line {
    // An endpoint has at least one address, and `index` is always in range.
    const address = addressText(this.endpoint.addresses[this.index] as Endpoint['addresses'][number]);
    return { address, channel: this.open(address), streams: new Set(), polls: new Set(), doubt: undefined };
  }
}

function doubtOn(line: Line): Doubt {
  const { doubt, channel } = line;
  if (doubt !== undefined && (doubt.isAsking || doubt.heard === channel.heard)) return doubt;
  line.doubt = { heard: channel.heard, sinceMs: monotonicMs(), questions: 0, isAsking: false, nextAtMs: 0 };
  return line.doubt;
}

/** A call that was written and not answered in time. */
function isOverdue(error: unknown): boolean {
  return error instanceof TransportError && error.code === 'DEADLINE_EXCEEDED' && error.outcome === 'unknown';
}
