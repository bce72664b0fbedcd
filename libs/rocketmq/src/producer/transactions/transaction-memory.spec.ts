import { describe, expect, it } from '@jest/globals';
import { MINUTE_MS } from '../../support/clock.js';
import { ManualClock } from '../../support/manual-clock.js';
import { TransactionMemory } from './transaction-memory.js';

describe('TransactionMemory', () => {
  it('answers unknown while a transaction is running, then how it ended', () => {
    const memory = new TransactionMemory(new ManualClock(), 5 * MINUTE_MS);
    memory.opened('a');
    expect(memory.recall('a')).toBe('unknown');
    memory.ended('a', 'commit', false);
    expect(memory.recall('a')).toBe('commit');
  });

  it('does not know a transaction after forget', () => {
    const memory = new TransactionMemory(new ManualClock(), 5 * MINUTE_MS);
    memory.opened('a');
    memory.forget('a');
    expect(memory.recall('a')).toBeUndefined();
  });

  it('forgets how a transaction ended when another begins with its id', () => {
    const memory = new TransactionMemory(new ManualClock(), 5 * MINUTE_MS);
    memory.ended('a', 'rollback', true);
    memory.opened('a');
    memory.forget('a');
    expect(memory.recall('a')).toBeUndefined();
  });

  it('keeps every running transaction, however many there are', () => {
    const memory = new TransactionMemory(new ManualClock(), 5 * MINUTE_MS);
    for (let count = 0; count < 20_000; count++) memory.opened(`t${count}`);
    for (let count = 0; count < 20_000; count++) memory.ended(`other ${count}`, 'commit', false);
    expect([memory.recall('t0'), memory.recall('t19999')]).toEqual(['unknown', 'unknown']);
  });

  it('answers unknown when a check crosses an accepted end, and answers the next check', () => {
    const clock = new ManualClock();
    const memory = new TransactionMemory(clock, 5 * MINUTE_MS);
    memory.ended('a', 'commit', true);
    expect(memory.recall('a')).toBe('unknown');
    clock.advanceTo(clock.nowMs() + 6_000);
    expect(memory.recall('a')).toBe('commit');
  });

  it('leaves a transaction that is never ended to the checker while the server still checks it', () => {
    const clock = new ManualClock();
    const memory = new TransactionMemory(clock, 5 * MINUTE_MS);
    memory.opened('abandoned');
    clock.advanceTo(clock.nowMs() + 5 * MINUTE_MS);
    expect(memory.recall('abandoned')).toBeUndefined();
  });

  it('forgets transactions that the server no longer checks', () => {
    const clock = new ManualClock();
    const memory = new TransactionMemory(clock, 5 * MINUTE_MS);
    memory.ended('old', 'commit', true);
    clock.advanceTo(clock.nowMs() + 61 * MINUTE_MS);
    memory.opened('new');
    expect([memory.recall('old'), memory.recall('new')]).toEqual([undefined, 'unknown']);
  });

  it('keeps the newest of very many', () => {
    const memory = new TransactionMemory(new ManualClock(), 5 * MINUTE_MS);
    for (let count = 0; count <= 10_000; count++) memory.ended(`t${count}`, 'rollback', false);
    expect([memory.recall('t0'), memory.recall('t10000')]).toEqual([undefined, 'rollback']);
  });
});
