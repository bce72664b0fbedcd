import { describe, expect, it } from '@jest/globals';
import { AbortSource, onAbort } from './abort-source.js';

describe('an abort source', () => {
  it('tells its listeners once, with the first reason', () => {
    const source = new AbortSource();
    let told = 0;
    onAbort(source, () => told++);
    source.abort(new Error('first'));
    source.abort(new Error('second'));
    expect([told, source.aborted, source.reason?.message]).toEqual([1, true, 'first']);
  });

  it('tells a late listener at once, and none that was taken off', () => {
    const source = new AbortSource();
    const told: string[] = [];
    onAbort(source, () => told.push('gone'))();
    source.abort(new Error('over'));
    onAbort(source, () => told.push('late'));
    expect(told).toEqual(['late']);
  });

  it.each(['before', 'after'])('has a signal that aborts, asked for %s', (when) => {
    const source = new AbortSource();
    const early = when === 'before' ? source.signal : undefined;
    source.abort(new Error('over'));
    expect([(early ?? source.signal).aborted, source.signal.reason]).toEqual([true, source.reason]);
  });

  it('listens to an AbortSignal in the same way', () => {
    const controller = new AbortController();
    const told: string[] = [];
    onAbort(controller.signal, () => told.push('kept'));
    onAbort(controller.signal, () => told.push('taken off'))();
    controller.abort();
    expect(told).toEqual(['kept']);
  });
});
