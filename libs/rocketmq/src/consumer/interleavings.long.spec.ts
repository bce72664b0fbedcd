import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { ConsumerBench, textOf } from '../../../../test/fixtures/consumer-bench.js';
import {
  type ConsumptionEvent,
  consumptionOrderViolations,
  consumptionViolations,
  silentRepetitions,
} from '../../../../test/fixtures/consumption-history.js';
import type { Connection } from '../client/connection.js';
import { SECOND_MS } from '../support/clock.js';
import type { ManualClock } from '../support/manual-clock.js';
import type { MessageHandler } from './model/handler.js';
import type { PushConsumer } from './push-consumer.js';

type Outcome = 'ok' | 'fails' | 'slow';
type Loss = 'renewal rejected' | 'renewal unanswered' | 'ack unanswered' | 'poll unanswered';

type Step =
  | { readonly kind: 'send'; readonly messageGroup: string; readonly count: number }
  | { readonly kind: 'join' | 'release' }
  | { readonly kind: 'leave' | 'crash' | 'pause' | 'resume'; readonly which: number }
  | { readonly kind: 'lose'; readonly loss: Loss }
  | { readonly kind: 'advance'; readonly durationMs: number };

const LEASE_MS = 10 * SECOND_MS;
/** A renewal must be able to end before the lease does, as it has time for in production. */
const CHUNK_MS = LEASE_MS / 4;
const MAX_CONSUMERS = 3;

const which = fc.nat(MAX_CONSUMERS - 1);
const sending = fc.record({
  kind: fc.constant('send' as const),
  messageGroup: fc.constantFrom('x', 'y'),
  count: fc.integer({ min: 1, max: 4 }),
});
const advancing = fc.record({
  kind: fc.constant('advance' as const),
  durationMs: fc.constantFrom(SECOND_MS, 3 * SECOND_MS, LEASE_MS + SECOND_MS),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: sending, weight: 5 },
  { arbitrary: advancing, weight: 3 },
  fc.record({ kind: fc.constantFrom('join' as const, 'release' as const) }),
  fc.record({ kind: fc.constantFrom('leave' as const, 'crash' as const, 'pause' as const, 'resume' as const), which }),
  fc.record({
    kind: fc.constant('lose' as const),
    loss: fc.constantFrom<Loss>('renewal rejected', 'renewal unanswered', 'ack unanswered', 'poll unanswered'),
  }),
);
const outcomes = fc.array(fc.constantFrom<Outcome>('ok', 'ok', 'ok', 'fails', 'slow'), { minLength: 7, maxLength: 7 });

/** A consumer under a name, on a connection of its own. */
interface Member {
  readonly name: string;
  readonly consumer: PushConsumer;
  readonly connection: Connection;
}

/** Plays steps on consumers of one group and records what their handlers saw. */
class Play {
  readonly history: ConsumptionEvent[] = [];
  private readonly members: Member[] = [];
  private readonly crashed = new Set<string>();
  private readonly closing: Promise<void>[] = [];
  private readonly sent: string[] = [];
  private readonly over = new Set<string>();
  private readonly certain = new Set<string>();
  private slow: (() => void)[] = [];
  private isEnding = false;
  private names = 0;

  constructor(
    private readonly bench: ConsumerBench,
    private readonly isFifo: boolean,
    private readonly outcomes: readonly Outcome[],
  ) {}

  async run(steps: readonly Step[]): Promise<void> {
    await this.join();
    for (const one of steps) {
      await this.perform(one);
      await this.calm();
      this.noteEnds();
    }
    await this.drain();
    await Promise.all(this.closing);
  }

  private async perform(one: Step): Promise<void> {
    switch (one.kind) {
      case 'send':
        return this.send(one.messageGroup, one.count);
      case 'join':
        return this.members.length < MAX_CONSUMERS ? this.join() : undefined;
      case 'release':
        for (const release of this.slow.splice(0)) release();
        return;
      case 'lose':
        return this.lose(one.loss);
      case 'advance':
        return this.advance(one.durationMs);
      default:
        return this.treat(this.members[one.which], one.kind);
    }
  }

  private async treat(member: Member | undefined, how: 'leave' | 'crash' | 'pause' | 'resume'): Promise<void> {
    if (member === undefined) return;
    const { name, consumer, connection } = member;
    if (how === 'pause') return consumer.pause();
    if (how === 'resume') return consumer.resume();
    this.members.splice(this.members.indexOf(member), 1);
    if (how === 'leave') return consumer.close({ shutdownGraceMs: 0 });
    this.crashed.add(name);
    this.history.push({ kind: 'crashed', consumer: name });
    // It neither releases messages nor disconnects: no request gets through any more.
    connection.close();
    this.closing.push(consumer.close({ shutdownGraceMs: 0 }));
  }

  /** Several messages at once form batches: a queue of an ordered group is locked while the first is handled. */
  private async send(messageGroup: string, count: number): Promise<void> {
    const ids = Array.from({ length: count }, (_, index) => `${messageGroup}${this.sent.length + index}`);
    this.sent.push(...ids);
    for (const id of ids) this.history.push(this.isFifo ? { kind: 'sent', id, messageGroup } : { kind: 'sent', id });
    await (this.isFifo ? this.bench.sendSteps(...ids) : this.bench.send(...ids));
  }

  private async join(): Promise<void> {
    const name = `consumer ${this.names++}`;
    const connection = this.bench.connectionTo(this.bench.broker.endpoints);
    const doubt = (id: string): void => this.note(name, { kind: 'doubted', id, consumer: name });
    const consumer = await this.bench.consume(
      this.handlerOf(name),
      {
        consumerGroup: this.isFifo ? 'lines' : 'stock',
        subscriptions: [{ topic: this.isFifo ? 'steps' : 'orders' }],
        invisibleDurationMs: LEASE_MS,
        concurrency: 4,
        maxBufferedMessages: 12,
        events: {
          onLeaseLost: (message) => doubt(textOf(message)),
          onSettleFailed: (message) => doubt(textOf(message)),
        },
      },
      connection,
    );
    this.members.push({ name, consumer, connection });
  }

  private handlerOf(consumer: string): MessageHandler {
    return async (message, { signal }) => {
      const id = textOf(message);
      this.noteDeadLetters();
      this.note(consumer, { kind: 'begun', id, consumer });
      try {
        await this.end(this.outcomes[(this.sent.indexOf(id) + message.deliveryAttempt) % this.outcomes.length], signal);
      } catch (error) {
        this.note(consumer, { kind: 'failed', id, consumer });
        throw error;
      }
      if (!this.crashed.has(consumer)) this.over.add(id);
      this.note(consumer, { kind: 'handled', id, consumer });
    };
  }

  private async end(outcome: Outcome | undefined, signal: AbortSignal): Promise<void> {
    if (this.isEnding || outcome === 'ok') return;
    if (outcome === 'fails') throw new Error('fails');
    await new Promise<void>((resolve, reject) => {
      this.slow.push(resolve);
      signal.addEventListener('abort', () => {
        // It ends with its consumer, but continues with a message whose lease it has lost.
        if ((signal.reason as { code?: string }).code !== 'LEASE_LOST') reject(new Error('aborted'));
      });
    });
  }

  /** Nothing is known of a process that has crashed. */
  private note(consumer: string, event: ConsumptionEvent): void {
    if (!this.crashed.has(consumer)) this.history.push(event);
  }

  private lose(loss: Loss): void {
    const { faults } = this.bench.broker;
    if (loss === 'renewal rejected') {
      faults.add({ rpc: 'changeInvisibleDuration', action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE' } });
      return;
    }
    const rpcs = {
      'renewal unanswered': 'changeInvisibleDuration',
      'ack unanswered': 'ackMessage',
      'poll unanswered': 'receiveMessage',
    } as const;
    faults.add({ rpc: rpcs[loss], action: { kind: 'dropResponse' } });
  }

  private async advance(durationMs: number): Promise<void> {
    for (let leftMs = durationMs; leftMs > 0; leftMs -= CHUNK_MS) {
      await this.bench.broker.advance(Math.min(leftMs, CHUNK_MS), { duringWork: true });
      await this.calm();
    }
  }

  /** Waits until only handlers are running. */
  private async calm(): Promise<void> {
    const clock = this.bench.broker.clock as ManualClock;
    do await this.bench.broker.idle({ duringWork: true });
    while (clock.activeWork().some((label) => !label.startsWith('handler of')));
  }

  private noteDeadLetters(): void {
    for (const id of this.bench.deadLetters(this.isFifo ? 'lines' : 'stock')) {
      if (this.certain.has(id)) continue;
      this.certain.add(id);
      this.over.add(id);
      this.history.push({ kind: 'dead', id });
    }
  }

  private noteEnds(): void {
    this.noteDeadLetters();
    const { broker, isAllSettled } = this.bench;
    // In an ordered queue an unsettled message causes redelivery of those behind it.
    if (this.isFifo && !isAllSettled) return;
    const held = new Set([...broker.inFlight(), ...broker.waiting()].map(({ body }) => body.toString()));
    for (const id of this.over) {
      if (held.has(id) || this.certain.has(id)) continue;
      this.certain.add(id);
      this.history.push({ kind: 'certain', id });
    }
  }

  /** The remaining messages must still be delivered. */
  private async drain(): Promise<void> {
    this.isEnding = true;
    this.bench.broker.faults.clear();
    for (const { consumer } of this.members) consumer.resume();
    for (const release of this.slow.splice(0)) release();
    if (this.members.length === 0) await this.join();
    for (let round = 0; round < 30; round++) {
      await this.calm();
      this.noteEnds();
      if (this.over.size === this.sent.length && this.bench.isAllSettled) return;
      await this.advance(LEASE_MS);
    }
    throw new Error(`no rest: ${this.over.size} of ${this.sent.length} handled, others still on their way`);
  }
}

const RUNS = { numRuns: Number(process.env.CONSUMER_RUNS ?? 6), endOnFailure: true };
const steps = fc.array(step, { minLength: 15, maxLength: 30, size: 'max' });

/** Plays on a broker of its own. A failure prints the seed and the path to repeat it. */
async function play(isFifo: boolean, list: readonly Step[], ends: readonly Outcome[]): Promise<ConsumptionEvent[]> {
  const generous = { maxDeliveryAttempts: 16, backoff: { kind: 'customized', nextMs: [SECOND_MS] } } as const;
  const bench = await ConsumerBench.open({
    groups: [
      { name: 'stock', ...generous },
      { name: 'lines', fifo: true, ...generous },
    ],
  });
  try {
    const one = new Play(bench, isFifo, ends);
    await one.run(list);
    return one.history;
  } finally {
    await bench.close();
  }
}

describe('random interleavings of consumers that join, leave, crash, pause and lose leases', () => {
  it('in an unordered group lose nothing, run nothing twice at once, repeat nothing silently', async () => {
    await fc.assert(
      fc.asyncProperty(steps, outcomes, async (list, ends) => {
        const history = await play(false, list, ends);
        expect([...consumptionViolations(history), ...silentRepetitions(history)]).toEqual([]);
      }),
      RUNS,
    );
  });

  it('in an ordered group also keep the order of each message group', async () => {
    await fc.assert(
      fc.asyncProperty(steps, outcomes, async (list, ends) => {
        const history = await play(true, list, ends);
        expect([...consumptionViolations(history), ...consumptionOrderViolations(history)]).toEqual([]);
      }),
      RUNS,
    );
  });
});
