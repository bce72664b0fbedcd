import { describe, expect, it } from '@jest/globals';
import { Intake } from './intake.js';

const { signal } = new AbortController();
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What has come of a promise by now. */
async function now<T>(promise: Promise<T>): Promise<T | 'waits'> {
  return Promise.race([promise, turn().then(() => 'waits' as const)]);
}

describe('the intake of a consumer', () => {
  it('lets every topic be polled and handled until it is told otherwise', async () => {
    const intake = new Intake(() => true);
    expect(intake.beginPoll('a')).toBeDefined();
    expect(await now(intake.verdict('a', signal))).toBe('handle');
    expect(intake.isPaused('a')).toBe(false);
  });

  it('lets no poll of a paused topic begin, and goes on with it when it is resumed', async () => {
    const intake = new Intake(() => true);
    intake.pause('a');
    intake.pause('a');
    expect([intake.beginPoll('a'), intake.beginPoll('b') === undefined]).toEqual([undefined, false]);
    const opened = intake.opened('a', signal).then(() => 'opened');
    expect(await now(opened)).toBe('waits');
    intake.resume('a', ['b']);
    expect(await now(opened)).toBe('opened');
  });

  it('keeps the messages of a paused topic where handing them back costs an attempt', async () => {
    const intake = new Intake(() => false);
    intake.pause(undefined);
    const verdict = intake.verdict('a', signal);
    expect(await now(verdict)).toBe('waits');
    intake.resume(undefined, []);
    expect(await now(verdict)).toBe('handle');
  });

  it('has them handed back where that is free, once no poll of ours could take them again', async () => {
    const intake = new Intake(() => true);
    const endPoll = intake.beginPoll('a');
    intake.pause('a');
    const verdict = intake.verdict('a', signal);
    expect(await now(verdict)).toBe('waits');
    endPoll?.();
    expect(await now(verdict)).toBe('handBack');
  });

  it('has the messages of a topic that was left handed back, when the last poll has ended', async () => {
    const intake = new Intake(() => false);
    const endPoll = intake.beginPoll('a');
    intake.leave('a');
    expect(await now(intake.verdict('a', signal))).toBe('handBack');
    const allowed = intake.handBackAllowed('a', signal).then(() => 'allowed');
    expect(await now(allowed)).toBe('waits');
    endPoll?.();
    expect(await now(allowed)).toBe('allowed');
    intake.join('a');
    expect(await now(intake.verdict('a', signal))).toBe('handle');
  });

  it('resumes one topic of many that were paused together', () => {
    const intake = new Intake(() => true);
    intake.pause(undefined);
    intake.resume('a', ['b', 'c']);
    expect(['a', 'b', 'c', 'd'].map((topic) => intake.isPaused(topic))).toEqual([false, true, true, false]);
    intake.resume(undefined, []);
    expect(intake.isPaused('b')).toBe(false);
  });

  it('ends a wait when its signal aborts', async () => {
    const intake = new Intake(() => true);
    intake.pause('a');
    const controller = new AbortController();
    const opened = intake.opened('a', controller.signal);
    controller.abort(new Error('closing'));
    await expect(opened).rejects.toThrow('closing');
  });
});
