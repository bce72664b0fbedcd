import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  type DeliveryEvent,
  deliveryViolations,
  orderedViolations,
  unorderedViolations,
} from '../../../../../test/fixtures/delivery-history.js';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import type { Delivery } from './deliveries.js';
import { parseHandle } from './receipt-handle.js';
import { Rejection } from './rejection.js';
import type { Resolution } from './transactions.js';
import { messagesOf } from './views.js';

const MAX_ATTEMPTS = 2;
const GROUP = 'g';

type Step =
  | { readonly kind: 'send'; readonly key: string; readonly delayMs: number }
  | { readonly kind: 'half' }
  | { readonly kind: 'end'; readonly which: number; readonly resolution: Resolution }
  | { readonly kind: 'pop'; readonly batchSize: number; readonly attemptId: string | undefined }
  | { readonly kind: 'ack' | 'forward'; readonly which: number }
  | { readonly kind: 'change'; readonly which: number; readonly invisibleMs: number; readonly suspend: boolean }
  | { readonly kind: 'advance'; readonly durationMs: number };

const which = fc.nat(20);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('send' as const),
    key: fc.constantFrom('x', 'y', 'z'),
    delayMs: fc.constantFrom(0, 0, 700, 20_000),
  }),
  fc.record({ kind: fc.constant('half' as const) }),
  fc.record({
    kind: fc.constant('end' as const),
    which,
    resolution: fc.constantFrom<Resolution>('commit', 'rollback', 'unspecified'),
  }),
  {
    arbitrary: fc.record({
      kind: fc.constant('pop' as const),
      batchSize: fc.integer({ min: 1, max: 5 }),
      attemptId: fc.constantFrom(undefined, 'i', 'j'),
    }),
    weight: 2,
  },
  { arbitrary: fc.record({ kind: fc.constant('ack' as const), which }), weight: 2 },
  fc.record({ kind: fc.constant('forward' as const), which }),
  fc.record({
    kind: fc.constant('change' as const),
    which,
    invisibleMs: fc.constantFrom(0, 1, 5_000, 60_000),
    suspend: fc.boolean(),
  }),
  {
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      durationMs: fc.constantFrom(1, 500, 10_000, 40_000),
    }),
    weight: 2,
  },
);

/** Runs steps on an engine and records what happened to the messages of its topic in its group. */
class Play {
  readonly history: DeliveryEvent[] = [];
  private readonly harness = new EngineHarness();
  private readonly held: Delivery[] = [];
  private readonly halves: string[] = [];
  private readonly seen = new Set<string>();
  private readonly transactional: boolean;
  private sent = 0;
  private pops = 0;
  private deadNoted = 0;
  readonly rolledBack: string[] = [];

  constructor(fifo: boolean) {
    // Half messages and ordered messages cannot share a topic; only the unordered run has transactions.
    this.transactional = !fifo;
    this.harness.engine.declareTopic({ name: 'half', type: 'transaction', queues: 2 });
    this.harness.engine.declareTopic({ name: 'plain', type: fifo ? 'fifo' : 'delay', queues: 2 });
    this.harness.engine.declareGroup({ name: GROUP, fifo, maxDeliveryAttempts: MAX_ATTEMPTS });
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) {
      this.perform(step);
      this.noteVisible();
    }
    this.drain();
  }

  private perform(step: Step): void {
    switch (step.kind) {
      case 'send':
        this.send(step.key, step.delayMs);
        break;
      case 'half':
        this.sendHalf();
        break;
      case 'end':
        this.end(this.halves[step.which], step.resolution);
        break;
      case 'pop':
        this.pop(step.batchSize, step.attemptId);
        break;
      case 'advance':
        this.harness.advance(step.durationMs);
        break;
      default:
        this.settle(step);
    }
  }

  private sendHalf(): void {
    if (!this.transactional) return;
    const id = this.nextId();
    this.halves.push(id);
    this.harness.send('half', id, { type: 'transaction' });
  }

  private end(id: string | undefined, resolution: Resolution): void {
    if (id === undefined || !this.tolerate(() => this.harness.end('half', id, resolution))) return;
    if (resolution === 'rollback') this.rolledBack.push(id);
  }

  private settle(step: Extract<Step, { which: number; kind: 'ack' | 'forward' | 'change' }>): void {
    const delivery = this.held[step.which % Math.max(1, this.held.length)];
    if (delivery === undefined) return;
    const id = delivery.message.messageId;
    if (step.kind === 'change') {
      this.change(delivery, step.invisibleMs, step.suspend);
      this.harness.advance(0);
    } else if (step.kind === 'ack') {
      if (this.tolerate(() => this.harness.ack(delivery, GROUP)))
        this.history.push({ kind: 'settled', id, by: delivery.receiptHandle });
    } else if (this.tolerate(() => this.harness.forward(delivery, GROUP))) {
      this.history.push({ kind: 'settled', id, by: delivery.receiptHandle });
      // Before the next pop, which would count it as its own.
      this.noteDeadLetters();
    }
  }

  private change(delivery: Delivery, invisibleMs: number, suspend: boolean): void {
    this.tolerate(() => {
      const changed = this.harness.change(delivery, GROUP, invisibleMs, suspend);
      const leaseEndsAtMs = this.harness.nowMs + invisibleMs;
      const { message, receiptHandle } = changed;
      this.history.push({
        kind: 'leaseMoved',
        id: message.messageId,
        leaseEndsAtMs,
        by: delivery.receiptHandle,
        receiptHandle,
      });
      this.held.push(changed);
    });
  }

  /** An invalid handle or an expired transaction is a valid response, not a failure. */
  private tolerate(command: () => unknown): boolean {
    try {
      command();
      return true;
    } catch (error) {
      if (error instanceof Rejection) return false;
      throw error;
    }
  }

  private send(key: string, delayMs: number): void {
    const deliveryTimestampMs = this.harness.nowMs + delayMs;
    const fields = this.transactional
      ? ({ type: 'delay', deliveryTimestampMs } as const)
      : ({ type: 'fifo', messageGroup: key } as const);
    this.harness.send('plain', this.nextId(), fields);
  }

  private nextId(): string {
    return `m${this.sent++}`;
  }

  private pop(batchSize: number, attemptId?: string): void {
    const pop = this.pops++;
    for (const topic of ['plain', 'half']) {
      const { deliveries } = this.harness.pop(topic, GROUP, { batchSize, leaseMs: 10_000, attemptId });
      this.noteDeadLetters(pop);
      for (const delivery of deliveries) {
        const { message, attempt, receiptHandle } = delivery;
        const id = message.messageId;
        const leaseEndsAtMs = parseHandle(receiptHandle)?.leaseEndsAtMs ?? 0;
        const atMs = this.harness.nowMs;
        this.history.push({ kind: 'delivered', id, pop, attempt, attemptId, atMs, leaseEndsAtMs, receiptHandle });
        this.held.push(delivery);
      }
    }
  }

  private noteVisible(): void {
    for (const topic of ['plain', 'half']) {
      for (const { message, queueId, offset } of messagesOf(this.harness.store, topic)) {
        if (this.seen.has(message.messageId)) continue;
        this.seen.add(message.messageId);
        const queue = topic === 'plain' ? queueId : queueId + 100;
        this.history.push({ kind: 'visible', id: message.messageId, queueId: queue, offset });
      }
    }
  }

  /** @param pop that dead-lettered them instead of handing them out */
  private noteDeadLetters(pop?: number): void {
    const dead = messagesOf(this.harness.store, `%DLQ%${GROUP}`);
    const noted = this.deadNoted;
    this.deadNoted = dead.length;
    for (const { message } of dead.slice(noted))
      this.history.push({ kind: 'settled', id: message.messageId, by: 'broker', ...(pop !== undefined && { pop }) });
  }

  /** Advances time until every lease has ended and every delayed message is due, and receives the rest. */
  private drain(): void {
    for (let round = 0; round < 200; round++) {
      this.harness.advance(60_000);
      this.noteVisible();
      const before = this.held.length;
      this.pop(32);
      for (const delivery of this.held.slice(before)) this.ackNow(delivery);
      if (this.held.length === before && this.harness.engine.nextDueAtMs() === undefined) return;
    }
  }

  private ackNow(delivery: Delivery): void {
    this.harness.ack(delivery, GROUP);
    this.history.push({ kind: 'settled', id: delivery.message.messageId, by: delivery.receiptHandle });
  }
}

const RUNS = { numRuns: 500 };
const steps = fc.array(step, { maxLength: 80, size: 'max' });

describe('random interleavings', () => {
  it('in an unordered group lose no message, redeliver no settled one and expose no half message', () => {
    void fc.assert(
      fc.property(steps, (list) => {
        const play = new Play(false);
        play.run(list);
        expect([
          ...deliveryViolations(play.history, MAX_ATTEMPTS, false),
          ...unorderedViolations(play.history),
        ]).toEqual([]);
        const delivered = new Set(play.history.flatMap((event) => (event.kind === 'delivered' ? [event.id] : [])));
        expect(play.rolledBack.filter((id) => delivered.has(id))).toEqual([]);
      }),
      RUNS,
    );
  });

  it('in an ordered group keep the order of each queue', () => {
    void fc.assert(
      fc.property(steps, (list) => {
        const play = new Play(true);
        play.run(list);
        expect([...deliveryViolations(play.history, MAX_ATTEMPTS, true), ...orderedViolations(play.history)]).toEqual(
          [],
        );
      }),
      RUNS,
    );
  });
});
