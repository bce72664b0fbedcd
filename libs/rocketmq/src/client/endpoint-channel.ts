// One endpoint's channel. All calls of an endpoint share one connection, since the server keeps a client's state (settings,
// transactions, receipt handles) in the one proxy that it talks to; when an address is gone, everything moves to the next.
// A connection that is open and silent (packets are dropped, no end is ever told) is left for a new one.

import { linkedController } from '../support/abort.js';
import { SystemClock } from '../support/clock.js';
import { StateError, TransportError } from '../support/errors.js';
import type { Channel, ChannelFactory, WireCall, WireStream } from './channel.js';
import { addressText, type Endpoint } from './endpoint.js';

/** The longest that the other end of a connection that has gone silent may take to show that it lives. */
const SUSPECT_MS = 2_000;
/** The server's gRPC library breaks a connection at the third ping in five minutes between which it said nothing. */
const MAX_QUESTIONS = 2;

/** A connection on which calls are left unanswered, though somebody may be there. */
interface Doubt {
  readonly channel: Channel;
  /** How often the server had been heard when the doubt arose. */
  readonly heard: number;
  questions: number;
  isAsking: boolean;
  /** When the next question may be asked: calls that fail together raise one. */
  nextAtMs: number;
}

/** A {@link Channel} over all addresses of an endpoint, on one of them at a time. */
export class EndpointChannel implements Channel {
  private index = 0;
  private current: Channel;
  private readonly streams = new Set<WireStream>();
  /** Polls that are open on the present connection. */
  private readonly polls = new Set<AbortController>();
  private doubt: Doubt | undefined;
  private readonly clock = new SystemClock();
  private closed = false;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly open: ChannelFactory,
  ) {
    this.current = open(this.addressAt(0));
  }

  get isConnected(): boolean {
    return this.current.isConnected;
  }

  get heard(): number {
    return this.current.heard;
  }

  get isEmbeddedBroker(): boolean {
    return this.current.isEmbeddedBroker;
  }

  isAlive(timeoutMs: number): Promise<boolean> {
    return this.usable().isAlive(timeoutMs);
  }

  unary(call: WireCall, request: Buffer): Promise<Uint8Array> {
    const used = this.usable();
    const { heard } = used;
    const answer = used.unary(call, request);
    answer.catch((error) => this.judge(used, error, heard, call.timeoutMs));
    return answer;
  }

  async serverStream(call: WireCall, request: Buffer, onMessage: (message: Uint8Array) => void): Promise<void> {
    const used = this.usable();
    const { heard } = used;
    const { controller, unlink } = linkedController([call.signal]);
    this.polls.add(controller);
    try {
      await used.serverStream({ ...call, signal: controller.signal }, request, onMessage);
    } catch (error) {
      this.judge(used, error, heard);
      throw error;
    } finally {
      this.polls.delete(controller);
      unlink();
    }
  }

  stream(call: WireCall): WireStream {
    const used = this.usable();
    const stream = used.stream(call);
    this.streams.add(stream);
    const { streams } = this;
    const { heard } = used;
    const judge = (error: unknown): void => this.judge(used, error, heard);
    async function* frames(): AsyncIterable<Uint8Array> {
      try {
        yield* stream.frames;
      } catch (error) {
        judge(error);
        throw error;
      } finally {
        streams.delete(stream);
      }
    }
    return { ...stream, frames: frames() };
  }

  /** Repeating it does nothing. */
  close(): void {
    this.closed = true;
    this.current.close();
  }

  private usable(): Channel {
    if (this.closed) throw new StateError('CLOSED', 'the connection is closed; nothing was sent');
    return this.current;
  }

  /**
   * Leaves the connection when this failure says that it is gone.
   * @param heardBefore how often the server had been heard when the failed call began
   * @param patienceMs how long that call waited
   */
  private judge(used: Channel, error: unknown, heardBefore: number, patienceMs = SUSPECT_MS): void {
    // Several calls may fail together; the first of them moves all. After the end, nothing is opened again.
    if (this.closed || used !== this.current) return;
    // A channel to the only address connects again by itself when it knows that it was broken.
    if (this.endpoint.addresses.length > 1 && isGone(used, error)) this.leave(used);
    else if (isOverdue(error) && used.isConnected && used.heard === heardBefore)
      // Half of its time, so that a repetition that is under way by now fails early enough for one more.
      void this.suspect(used, Math.min(patienceMs / 2, SUSPECT_MS));
  }

  /**
   * A server may only be slow, and this process too busy to read its answers: a question that costs nothing tells. One that
   * answers questions and nothing else is left, too: there may be another behind the same address.
   */
  private async suspect(used: Channel, patienceMs: number): Promise<void> {
    const doubt = this.doubtOn(used);
    if (doubt.isAsking || this.clock.nowMs() < doubt.nextAtMs) return;
    if (doubt.questions === MAX_QUESTIONS) return this.leave(used);
    doubt.questions++;
    doubt.isAsking = true;
    const isAlive = await used.isAlive(patienceMs);
    doubt.isAsking = false;
    doubt.nextAtMs = this.clock.nowMs() + patienceMs;
    if (!isAlive && !this.closed && used === this.current) this.leave(used);
  }

  private doubtOn(channel: Channel): Doubt {
    const { doubt } = this;
    if (doubt?.channel === channel && (doubt.isAsking || doubt.heard === channel.heard)) return doubt;
    const fresh = { channel, heard: channel.heard, questions: 0, isAsking: false, nextAtMs: 0 };
    this.doubt = fresh;
    return fresh;
  }

  /** For the next address, or for a new connection to the only one. */
  private leave(used: Channel): void {
    const address = this.addressAt(this.index);
    this.index = (this.index + 1) % this.endpoint.addresses.length;
    this.current = this.open(this.addressAt(this.index));
    // A poll on a silent connection would wait in vain until its deadline.
    const lost = new TransportError('UNAVAILABLE', `the connection to ${address} was lost`, 'unknown', true);
    for (const poll of this.polls) poll.abort(lost);
    this.polls.clear();
    // The new server does not know the settings; a stream left on the old one would hide that.
    for (const stream of this.streams) stream.cancel();
    this.streams.clear();
    used.close();
  }

  private addressAt(index: number): string {
    // An endpoint has at least one address, and `index` stays below their number.
    return addressText(this.endpoint.addresses[index] as Endpoint['addresses'][number]);
  }
}

/** A call that was written and not answered in its time. */
function isOverdue(error: unknown): boolean {
  return error instanceof TransportError && error.code === 'DEADLINE_EXCEEDED' && error.outcome === 'unknown';
}

/** A refused or broken connection, or one that did not come about in the time of a call (packets may be lost silently). */
function isGone(used: Channel, error: unknown): boolean {
  if (!(error instanceof TransportError)) return false;
  return error.code === 'UNAVAILABLE' || (error.code !== 'RPC_FAILED' && !used.isConnected);
}
