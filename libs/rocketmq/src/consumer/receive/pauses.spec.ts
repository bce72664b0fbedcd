import { describe, expect, it } from '@jest/globals';
import { Pauses } from './pauses.js';

const { signal } = new AbortController();
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The state of a promise by now. */
async function now<T>(promise: Promise<T>): Promise<T | 'waits'> {
  return Promise.race([promise, turn().then(() => 'waits' as const)]);
}

describe('the pauses of a consumer', () => {
  it('lets every topic be polled and handled until it is paused', async () => {
    const pauses = new Pauses(() => true);
    expect(pauses.beginPoll('a')).toBeDefined();
    expect(await now(pauses.verdict('a', signal))).toBe('handle');
    expect(pauses.isPaused('a')).toBe(false);
  });

  it('starts no poll of a paused topic, and continues when it is resumed', async () => {
    const pauses = new Pauses(() => true);
    pauses.pause('a');
    pauses.pause('a');
    expect([pauses.beginPoll('a'), pauses.beginPoll('b') === undefined]).toEqual([undefined, false]);
    const opened = pauses.opened('a', signal).then(() => 'opened');
    expect(await now(opened)).toBe('waits');
    pauses.resume('a', ['b']);
    expect(await now(opened)).toBe('opened');
  });

  it('polls for a paused group, and starts no handler until it is resumed', async () => {
    const pauses = new Pauses(() => false);
    pauses.pauseGroup();
    expect([pauses.isPaused('a'), pauses.isOpen('a'), pauses.beginPoll('a') === undefined]).toEqual([
      false,
      false,
      false,
    ]);
    expect(await now(pauses.opened('a', signal))).toBeUndefined();
    const verdict = pauses.verdict('a', signal);
    expect(await now(verdict)).toBe('waits');
    pauses.resumeGroup();
    expect(await now(verdict)).toBe('handle');
  });

  it('keeps the messages of a paused topic where releasing them costs an attempt', async () => {
    const pauses = new Pauses(() => false);
    pauses.pause(undefined);
    const verdict = pauses.verdict('a', signal);
    expect(await now(verdict)).toBe('waits');
    pauses.resume(undefined, []);
    expect(await now(verdict)).toBe('handle');
  });

  it('releases them where that costs no attempt, once no own poll could fetch them again', async () => {
    const pauses = new Pauses(() => true);
    const endPoll = pauses.beginPoll('a');
    pauses.pause('a');
    const verdict = pauses.verdict('a', signal);
    expect(await now(verdict)).toBe('waits');
    endPoll?.();
    expect(await now(verdict)).toBe('release');
  });

  it('releases the messages of an unsubscribed topic, when the last poll has ended', async () => {
    const pauses = new Pauses(() => false);
    const endPoll = pauses.beginPoll('a');
    pauses.leave('a');
    expect(await now(pauses.verdict('a', signal))).toBe('release');
    const allowed = pauses.releaseAllowed('a', signal).then(() => 'allowed');
    expect(await now(allowed)).toBe('waits');
    endPoll?.();
    expect(await now(allowed)).toBe('allowed');
    pauses.join('a');
    expect(await now(pauses.verdict('a', signal))).toBe('handle');
  });

  it('resumes one topic of many that were paused together', () => {
    const pauses = new Pauses(() => true);
    pauses.pause(undefined);
    pauses.resume('a', ['b', 'c']);
    expect(['a', 'b', 'c', 'd'].map((topic) => pauses.isPaused(topic))).toEqual([false, true, true, false]);
    pauses.resume(undefined, []);
    expect(pauses.isPaused('b')).toBe(false);
  });

  it('ends a wait when its signal aborts', async () => {
    const pauses = new Pauses(() => true);
    pauses.pause('a');
    const controller = new AbortController();
    const opened = pauses.opened('a', controller.signal);
    controller.abort(new Error('closing'));
    await expect(opened).rejects.toThrow('closing');
  });
});
