import { describe, expect, it } from '@jest/globals';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { monotonicMs } from '../../support/deadline.js';
import { type Logger, silentLogger } from '../../support/logger.js';
import { CredentialsSource, type ProvidedCredentials } from './credentials.js';

const FIRST = { accessKey: 'app', secretKey: 'first secret', sessionToken: 'first token' };
const SECOND = { accessKey: 'app', secretKey: 'second secret' };

/** A source whose provider gives what the list says, an error to throw it, and then nothing any more. */
function sourceOf(given: (ProvidedCredentials | Error | unknown)[], refreshMs?: number) {
  const lines: string[] = [];
  const write = (text: string, fields?: object): void => void lines.push(`${text} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: write, info: write, warn: write, error: write };
  const state = { asked: 0 };
  const provider = async (): Promise<ProvidedCredentials> => {
    const next = given[state.asked++];
    if (next instanceof Error) throw next;
    return next as ProvidedCredentials;
  };
  return { source: new CredentialsSource(provider, { refreshMs, logger }), lines, state };
}

/** Lets what was started end: nothing here waits for time. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('fixed credentials', () => {
  it('are available from the start, and cannot be changed from outside', () => {
    const given = { ...FIRST };
    const source = new CredentialsSource(given, { logger: silentLogger });
    given.secretKey = 'changed';
    expect(source.ready()).toBeUndefined();
    expect(source.current(monotonicMs())).toEqual(FIRST);
  });

  it('are not renewed', async () => {
    const source = new CredentialsSource(FIRST, { logger: silentLogger });
    expect(await source.renew(source.version)).toBe(false);
  });
});

describe('credentials from a provider', () => {
  it('are requested once, however many callers wait for them', async () => {
    const { source, state } = sourceOf([FIRST]);
    expect(source.current(monotonicMs())).toBeUndefined();
    await Promise.all([source.ready(), source.ready()]);
    expect(source.ready()).toBeUndefined();
    expect(source.current(monotonicMs())).toEqual(FIRST);
    expect(state.asked).toBe(1);
  });

  it.each<[string, number | undefined, number | undefined, number, number]>([
    ['every minute', undefined, undefined, 59 * SECOND_MS, 61 * SECOND_MS],
    ['as often as configured', 10 * SECOND_MS, undefined, 9 * SECOND_MS, 11 * SECOND_MS],
    ['a minute before they end', undefined, HOUR_MS, 58 * MINUTE_MS, 59 * MINUTE_MS + SECOND_MS],
    ['within the last fifth of a short life', undefined, MINUTE_MS, 47 * SECOND_MS, 49 * SECOND_MS],
    ['whichever of the two is sooner', 10 * SECOND_MS, HOUR_MS, 9 * SECOND_MS, 11 * SECOND_MS],
  ])('are requested again %s, in the background', async (_, refreshMs, lifeMs, stillMs, dueMs) => {
    const startMs = monotonicMs();
    const expiresAt = lifeMs === undefined ? undefined : new Date(Date.now() + lifeMs);
    const { source, state } = sourceOf([{ ...FIRST, expiresAt }, SECOND], refreshMs);
    await source.ready();
    expect(source.current(startMs + stillMs)).toEqual(FIRST);
    expect(state.asked).toBe(1);
    expect(source.current(startMs + dueMs)).toEqual(FIRST);
    await settled();
    expect(state.asked).toBe(2);
    expect(source.current(startMs)).toEqual(SECOND);
  });

  it('notify listeners of a change, and not when they stay the same', async () => {
    const { source } = sourceOf([FIRST, { ...FIRST }, SECOND]);
    let changes = 0;
    source.onRotation(() => changes++);
    await source.ready();
    const { version } = source;
    source.current(monotonicMs() + HOUR_MS);
    await settled();
    expect([changes, source.version]).toEqual([0, version]);
    source.current(monotonicMs() + 2 * HOUR_MS);
    await settled();
    expect([changes, source.version]).toEqual([1, version + 1]);
  });

  it('are requested again when the server rejects them, but not at each rejection', async () => {
    const { source, state } = sourceOf([FIRST, FIRST, SECOND]);
    await source.ready();
    const { version } = source;
    expect(await Promise.all([source.renew(version), source.renew(version)])).toEqual([false, false]);
    expect(await source.renew(version)).toBe(false);
    expect(state.asked).toBe(2);
    source.current(monotonicMs() + HOUR_MS);
    await settled();
    expect(await source.renew(version)).toBe(true);
    expect(state.asked).toBe(3);
  });

  it('stay in use when the provider fails later, which is logged without secrets', async () => {
    const { source, lines } = sourceOf([FIRST, new Error('no access with first secret and first token'), SECOND]);
    await source.ready();
    source.current(monotonicMs() + HOUR_MS);
    await settled();
    expect(source.current(monotonicMs())).toEqual(FIRST);
    expect(lines).toEqual([expect.stringContaining('the last ones stay in use')]);
    expect(lines.join()).toContain('the credentials provider failed: Error; its message may contain a secret');
    expect(lines.join()).not.toContain('no access');
    source.current(monotonicMs() + HOUR_MS);
    await settled();
    expect(source.current(monotonicMs())).toEqual(SECOND);
    expect(lines.join()).not.toMatch(/first secret|second secret|first token/);
  });

  it('are an error while there are none, and requested again at the next call', async () => {
    const { source } = sourceOf([new Error('vault is sealed'), FIRST]);
    const failure = { code: 'CREDENTIALS_UNAVAILABLE', outcome: 'not-sent', retryable: true };
    await expect(source.ready()).rejects.toMatchObject(failure);
    await source.ready();
    expect(source.current(monotonicMs())).toEqual(FIRST);
  });

  it.each<[string, unknown]>([
    ['credentials', undefined],
    ['credentials', 'key'],
    ['credentials.accessKey', { ...FIRST, accessKey: 'a,b' }],
    ['credentials.accessKey', { ...FIRST, accessKey: 'Schlüssel' }],
    ['credentials.secretKey', { accessKey: 'app', secretKey: 7 }],
    ['credentials.sessionToken', { ...FIRST, sessionToken: 'geheim\n' }],
    ['credentials.expiresAt', { ...FIRST, expiresAt: '2030-01-01' }],
  ])('report the invalid field, without its value: %s', async (field, given) => {
    const { source, lines } = sourceOf([given]);
    const failure = { code: 'ILLEGAL_CREDENTIALS', field, outcome: 'not-sent', retryable: false };
    await expect(source.ready()).rejects.toMatchObject(failure);
    expect(lines.join()).not.toMatch(/first secret|geheim|a,b/);
  });

  it('are no longer waited for once the connection is closed', async () => {
    const { source, lines } = sourceOf([new Promise(() => {})]);
    const ready = source.ready();
    source.close();
    await expect(ready).rejects.toMatchObject({ code: 'CREDENTIALS_UNAVAILABLE' });
    expect(lines).toEqual([]);
  });
});
