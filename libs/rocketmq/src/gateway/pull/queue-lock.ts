// The lock of a queue of an ordered group: while one client has it, no other member handles messages of the queue.

import { AbortSource } from '../../support/abort-source.js';
import { SystemClock, sleep } from '../../support/clock.js';
import { monotonicMs } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { QueueRequests } from './queue-requests.js';

/** A broker forgets a lock after 60 s. Like the Java client, this one renews it every 20 s, and takes it for lost after 30 s. */
const [RENEWAL_MS, VALID_MS] = [20_000, 30_000];
const RETRY_MS = 1_000;

type State =
  | { readonly kind: 'free' }
  | { readonly kind: 'locked'; readonly atMs: number }
  /** The connection was lost: a broker that has restarted has forgotten it. */
  | { readonly kind: 'doubted'; readonly atMs: number };

interface LockEvents {
  /** Called when the client has it, or has it still. */
  onTaken(): void;
  /** Called when it was lost. */
  onLost(): void;
}

export class QueueLock {
  private state: State = { kind: 'free' };
  private readonly ioClock = new SystemClock();
  private wake = (): void => {};

  constructor(
    private readonly requests: QueueRequests,
    private readonly logger: Logger,
    private readonly events: LockEvents,
  ) {}

  /** Whether nobody else can have it. */
  get isValid(): boolean {
    return this.state.kind === 'locked' && monotonicMs() - this.state.atMs < VALID_MS;
  }

  /** @returns whether this client has it; false while another one does. @throws when the broker does not answer */
  async take(): Promise<boolean> {
    return this.isValid || this.ask();
  }

  /** It is not valid before the broker was asked again, which is at once. */
  doubt(): void {
    if (this.state.kind !== 'locked') return;
    this.state = { kind: 'doubted', atMs: this.state.atMs };
    this.wake();
  }

  /** Renews it until the signal aborts, and again whenever it was taken anew. Never throws. */
  async keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.state.kind !== 'doubted') await this.pause(signal);
      if (signal.aborted || this.state.kind === 'free') continue;
      await this.ask().catch(async () => {
        this.loseWhenOver();
        await sleep(this.ioClock, RETRY_MS, signal).catch(() => {});
      });
    }
  }

  /** Never throws. */
  async release(): Promise<void> {
    if (this.state.kind === 'free') return;
    this.state = { kind: 'free' };
    await this.requests.unlock().catch((error: unknown) => {
      const text = `${this.requests.what}: its lock could not be released, and ends within 60 s`;
      this.logger.debug(text, { error: describeError(error) });
    });
  }

  /** Until it is to be renewed, or in doubt. */
  private async pause(signal: AbortSignal): Promise<void> {
    const woken = new AbortSource();
    const wake = (): void => woken.abort(new StateError('CLOSED', 'a lock is in doubt'));
    this.wake = wake;
    signal.addEventListener('abort', wake, { once: true });
    await sleep(this.ioClock, RENEWAL_MS, woken).catch(() => {});
    signal.removeEventListener('abort', wake);
  }

  private async ask(): Promise<boolean> {
    const askedAtMs = monotonicMs();
    const isMine = await this.requests.lock();
    if (isMine) {
      this.state = { kind: 'locked', atMs: askedAtMs };
      this.events.onTaken();
    } else if (this.state.kind !== 'free') this.lose();
    return isMine;
  }

  private loseWhenOver(): void {
    if (this.state.kind !== 'free' && monotonicMs() - this.state.atMs >= VALID_MS) this.lose();
  }

  private lose(): void {
    this.state = { kind: 'free' };
    this.events.onLost();
  }
}
