import { describe, expect, it } from '@jest/globals';
import { AbortSource, onAbort } from './abort-source.js';

describe('an abort source', () => {
  it('notifies its listeners once, with the first reason', () => {
    const source = new AbortSource();
    let calls = 0;
    onAbort(source, () => calls++);
    source.abort(new Error('first'));
    source.abort(new Error('second'));
    expect([calls, source.aborted, source.reason?.message]).toEqual([1, true, 'first']);
  });

  it('notifies a late listener immediately, and no listener that was removed', () => {
    const source = new AbortSource();
    const calls: string[] = [];
    onAbort(source, () => calls.push('gone'))();
    source.abort(new Error('over'));
    onAbort(source, () => calls.push('late'));
    expect(calls).toEqual(['late']);
  });

  it('does not notify a listener that an earlier one removes', () => {
    const source = new AbortSource();
    const calls: string[] = [];
    let removeSecond = (): void => {};
    onAbort(source, () => {
      calls.push('first');
      removeSecond();
    });
    removeSecond = onAbort(source, () => calls.push('second'));
    onAbort(source, () => calls.push('third'));
    source.abort(new Error('over'));
    expect(calls).toEqual(['first', 'third']);
  });

  it.each(['before', 'after'])('provides a signal that aborts, read %s the abort', (when) => {
    const source = new AbortSource();
    const early = when === 'before' ? source.signal : undefined;
    source.abort(new Error('over'));
    expect([(early ?? source.signal).aborted, source.signal.reason]).toEqual([true, source.reason]);
  });

  it('can be replaced by an AbortSignal', () => {
    const controller = new AbortController();
    const calls: string[] = [];
    onAbort(controller.signal, () => calls.push('kept'));
    onAbort(controller.signal, () => calls.push('removed'))();
    controller.abort();
    expect(calls).toEqual(['kept']);
  });
});
