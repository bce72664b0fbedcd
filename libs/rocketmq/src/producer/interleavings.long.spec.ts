// Random interleavings of sends, transactions, lost answers, cut connections and dying producers, judged by history checkers.

import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { type SendingEvent, sendViolations, transactionViolations } from '../../../../test/fixtures/sending-history.js';
import { Connection } from '../client/connection.js';
import type { OutgoingMessage } from '../protocol/model/message.js';
import { SECOND_MS } from '../support/clock.js';
import { type Outcome, RocketMQError } from '../support/errors.js';
import { TestBroker } from '../testing/test-broker.js';
import { Producer } from './producer.js';
import type { TransactionCheckHandler } from './transactions/transaction-check.js';
import { currentLocalTransaction } from './transactions/transaction-scope.js';

const PLAIN = ['orders', 'steps', 'timeouts'] as const;
/** Long enough for what the broker delays, short enough for many runs. */
const REQUEST_TIMEOUT_MS = 500;

type Ending = 'commit' | 'rollback' | 'throw before' | 'throw after';
type Step =
  | { readonly kind: 'send'; readonly topic: (typeof PLAIN)[number]; readonly group: string; readonly delayMs: number }
  | { readonly kind: 'batch' | 'oneway' | 'cut' | 'crash' | 'checker fails' }
  | { readonly kind: 'transact'; readonly ending: Ending; readonly turns: number }
  | { readonly kind: 'fault'; readonly rpc: 'sendMessage' | 'endTransaction'; readonly what: Fault }
  | { readonly kind: 'turns'; readonly turns: number }
  | { readonly kind: 'advance'; readonly durationMs: number };
type Fault = 'lose answer' | 'lose, then reject' | 'lose answers' | 'doubt' | 'busy' | 'reject' | 'slow' | 'cut';

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      topic: fc.constantFrom(...PLAIN),
      group: fc.constantFrom('g', 'h'),
      delayMs: fc.constantFrom(0, 5_000, 40_000),
    }),
    weight: 4,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('transact' as const),
      ending: fc.constantFrom<Ending>('commit', 'commit', 'rollback', 'throw before', 'throw after'),
      turns: fc.nat(30),
    }),
    weight: 4,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('fault' as const),
      rpc: fc.constantFrom('sendMessage' as const, 'endTransaction' as const),
      what: fc.constantFrom<Fault>(
        'lose answer',
        'lose, then reject',
        'lose answers',
        'doubt',
        'busy',
        'reject',
        'slow',
        'cut',
      ),
    }),
    weight: 4,
  },
  fc.record({ kind: fc.constantFrom('batch' as const, 'oneway' as const, 'checker fails' as const) }),
  fc.record({ kind: fc.constantFrom('cut' as const, 'crash' as const) }),
  { arbitrary: fc.record({ kind: fc.constant('turns' as const), turns: fc.nat(40) }), weight: 3 },
  {
    arbitrary: fc.record({ kind: fc.constant('advance' as const), durationMs: fc.constantFrom(1_000, 7_000, 31_000) }),
    weight: 2,
  },
);

/** A producer and its connection, as one process has them. */
interface Process {
  readonly connection: Connection;
  readonly producer: Producer;
  isDead: boolean;
}

class Play {
  readonly sends: SendingEvent[] = [];
  readonly transactions: SendingEvent[] = [];
  /** Errors that say nothing of the outcome. */
  readonly surprises: unknown[] = [];
  private readonly seen = new Set<string>();
  private readonly under = new Set<Promise<unknown>>();
  private readonly processes: Process[] = [];
  /** What the database of the application holds: how each transaction ended. */
  private readonly database = new Map<string, 'commit' | 'rollback'>();
  private failingChecks = 0;
  private count = 0;

  private constructor(private readonly broker: TestBroker) {}

  static async run(steps: readonly Step[]): Promise<Play> {
    const broker = await TestBroker.start({
      manualClock: true,
      strict: true,
      transactionCheckMax: 100,
      topics: [
        { name: 'orders' },
        { name: 'steps', type: 'fifo' },
        { name: 'timeouts', type: 'delay' },
        { name: 'payments', type: 'transaction' },
      ],
    });
    const play = new Play(broker);
    try {
      await play.begin();
      for (const one of steps) {
        await play.perform(one);
        play.noteVisible();
      }
      await play.settle();
    } finally {
      await play.end();
    }
    return play;
  }

  private get current(): Process {
    return this.processes.at(-1) as Process;
  }

  private async begin(): Promise<void> {
    const { endpoints, clock } = this.broker;
    const connection = new Connection({ endpoints, clock, requestTimeoutMs: REQUEST_TIMEOUT_MS });
    const process: Process = { connection, isDead: false, producer: this.producer(connection, () => process.isDead) };
    this.processes.push(process);
    await process.producer.start({ timeoutMs: 10_000 });
  }

  private producer(connection: Connection, isDead: () => boolean): Producer {
    const checker: TransactionCheckHandler = ({ transactionId }) => {
      if (isDead()) throw new Error('dead');
      if (this.failingChecks > 0) {
        this.failingChecks--;
        throw new Error('no database');
      }
      this.decide(transactionId, 'rollback');
      return this.database.get(transactionId);
    };
    return new Producer(connection, { transactionCheckers: { payments: checker } });
  }

  private async perform(step: Step): Promise<void> {
    switch (step.kind) {
      case 'send':
        this.track(this.send(step));
        break;
      case 'batch':
        this.track(this.sendBatch());
        break;
      case 'oneway':
        this.track(this.sendOneway());
        break;
      case 'transact':
        this.track(this.transact(step.ending, step.turns));
        break;
      case 'fault':
        this.addFault(step.rpc, step.what);
        break;
      case 'checker fails':
        this.failingChecks++;
        break;
      case 'cut':
        this.broker.faults.cutConnections();
        break;
      case 'crash':
        this.current.isDead = true;
        this.current.connection.close();
        await this.begin();
        break;
      case 'turns':
        await turns(step.turns);
        break;
      case 'advance':
        await this.broker.advance(step.durationMs, { duringWork: true });
    }
  }

  private async send({ topic, group, delayMs }: Extract<Step, { kind: 'send' }>): Promise<void> {
    const fields = { orders: {}, steps: { messageGroup: group }, timeouts: { delayMs } }[topic];
    const message = this.message(topic, fields);
    await this.reported(this.sends, message.messageId, this.current.producer.send(message));
  }

  private async sendBatch(): Promise<void> {
    const messages = [0, 1, 2].map(() => this.message('steps', { messageGroup: 'batch' }));
    const outcomes = await this.current.producer.sendBatch(messages);
    outcomes.forEach((outcome, index) => {
      const id = messages[index]?.messageId ?? '';
      const reported = outcome.status === 'sent' ? 'stored' : outcomeOf(outcome.error);
      this.sends.push({ kind: 'reported', id, outcome: reported });
    });
  }

  private async sendOneway(): Promise<void> {
    const message = this.message('orders', {});
    await this.current.producer.sendOneway(message).catch((error) => {
      this.sends.push({ kind: 'reported', id: message.messageId, outcome: outcomeOf(error) });
    });
  }

  private message(topic: string, fields: Partial<OutgoingMessage>): OutgoingMessage & { readonly messageId: string } {
    const id = `m${this.count++}`;
    this.sends.push({ kind: 'began', id, group: fields.messageGroup });
    return { topic, body: id, messageId: id, ...fields };
  }

  private async transact(ending: Ending, pauses: number): Promise<void> {
    const id = `t${this.count++}`;
    const { current: process } = this;
    this.transactions.push({ kind: 'began', id });
    let hasRun = false;
    const work = async (): Promise<void> => {
      hasRun = true;
      this.transactions.push({ kind: 'reported', id, outcome: 'stored' });
      await turns(pauses);
      if (process.isDead || ending === 'throw before') throw new Error('the local transaction failed');
      // The unique key of the row: an earlier check has fenced this transaction.
      if (!this.decide(id, ending === 'rollback' ? 'rollback' : 'commit')) throw new Error('fenced');
      if (ending === 'rollback') currentLocalTransaction().rollback();
      if (ending === 'throw after') throw new Error('the answer of the database was lost');
    };
    const message = { topic: 'payments', body: id, messageId: id };
    const running = process.producer.transact({ message }, work);
    await running.catch((error) => {
      if (!hasRun) this.transactions.push({ kind: 'reported', id, outcome: outcomeOf(error) });
    });
  }

  /** @returns whether it was this that decided */
  private decide(id: string, resolution: 'commit' | 'rollback'): boolean {
    if (this.database.has(id)) return false;
    this.noteVisible();
    this.database.set(id, resolution);
    this.transactions.push({ kind: 'decided', id, resolution });
    return true;
  }

  private async reported(history: SendingEvent[], id: string, sending: Promise<unknown>): Promise<void> {
    const outcome = await sending.then(() => 'stored' as const, outcomeOf);
    history.push({ kind: 'reported', id, outcome });
  }

  private addFault(rpc: 'sendMessage' | 'endTransaction', what: Fault): void {
    const { faults } = this.broker;
    const answer = { doubt: 'MASTER_PERSISTENCE_TIMEOUT', busy: 'TOO_MANY_REQUESTS', reject: 'FORBIDDEN' } as const;
    if (what === 'lose answer') faults.add({ rpc, action: { kind: 'dropResponse' } });
    else if (what === 'lose, then reject') {
      faults.add({ rpc, action: { kind: 'dropResponse' } });
      faults.add({ rpc, action: { kind: 'answer', code: 'FORBIDDEN' } });
    } else if (what === 'lose answers') faults.add({ rpc, action: { kind: 'dropResponse' }, times: 4 });
    else if (what === 'slow') faults.add({ rpc, action: { kind: 'delay', delayMs: 20 } });
    else if (what === 'cut') faults.add({ rpc, action: { kind: 'cutStreams' } });
    else faults.add({ rpc, action: { kind: 'answer', code: answer[what] } });
  }

  private track(work: Promise<unknown>): void {
    const tracked = work.catch((error) => void this.surprises.push(error)).finally(() => this.under.delete(tracked));
    this.under.add(tracked);
  }

  private noteVisible(): void {
    for (const topic of [...PLAIN, 'payments']) {
      for (const { messageId: id, queueId, offset } of this.broker.messages(topic)) {
        const place = `${topic} ${queueId} ${offset}`;
        if (this.seen.has(place)) continue;
        this.seen.add(place);
        (topic === 'payments' ? this.transactions : this.sends).push({ kind: 'visible', id });
      }
    }
  }

  /** Ends all faults: calls in flight end, every delay passes, every transaction is checked. */
  private async settle(): Promise<void> {
    this.broker.faults.clear();
    this.failingChecks = 0;
    await Promise.all(this.under);
    await this.broker.advance(45 * SECOND_MS, { duringWork: true });
    for (let round = 0; round < 20 && this.broker.halfMessages().length > 0; round++) {
      // A producer whose connection was cut sends its settings again in real time.
      await new Promise((resolve) => setTimeout(resolve, 20));
      await this.broker.advance(31 * SECOND_MS, { duringWork: true });
    }
    this.noteVisible();
  }

  private async end(): Promise<void> {
    for (const { producer, connection } of this.processes) {
      await producer.close({ shutdownGraceMs: 0 });
      connection.close();
    }
    await this.broker.stop();
  }
}

function outcomeOf(error: unknown): Outcome {
  if (RocketMQError.is(error)) return error.outcome;
  throw error;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('random interleavings of sends and transactions', () => {
  it('report the correct outcome of every message, lose none, and agree with the database', async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const play = await Play.run(steps);
      expect([...sendViolations(play.sends), ...transactionViolations(play.transactions)]).toEqual([]);
      expect(play.surprises).toEqual([]);
    });
    // A failure prints the seed and the path that reproduce it.
    await fc.assert(property, { numRuns: 40, interruptAfterTimeLimit: 15_000, endOnFailure: false });
  }, 60_000);
});
