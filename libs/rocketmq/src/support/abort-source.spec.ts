import { describe, expect, it } from '@jest/globals';
import { AbortSource, onAbort } from './abort-source.js';

describe('an abort source', () => {
  it('notifies its listeners once, with the first reason', () => {
    const source = new AbortSource();
    let told = 0;
    onAbort(source, () => told++);
    source.abort(new Error('first'));
    source.abort(new Error('second'));
    expect([told, source.aborted, source.reason?.message]).toEqual([1, true, 'first']);
  });

  it('notifies a late listener immediately, and no listener that was removed', () => {
    const source = new AbortSource();
    const told: string[] = [];
    onAbort(source, () => told.push('gone'))();
    source.abort(new Error('over'));
    onAbort(source, () => told.push('late'));
    expect(told).toEqual(['late']);
  });

  it.each(['before', 'after'])('provides a signal that aborts, read %s the abort', (when) => {
    const source = new AbortSource();
    const early = when === 'before' ? source.signal : undefined;
    source.abort(new Error('over'));
    expect([(early ?? source.signal).aborted, source.signal.reason]).toEqual([true, source.reason]);
  });

  it('can be replaced by an AbortSignal', () => {
    const controller = new AbortController();
    const told: string[] = [];
    onAbort(controller.signal, () => told.push('kept'));
    onAbort(controller.signal, () => told.push('taken off'))();
    controller.abort();
    expect(told).toEqual(['kept']);
  });
});
