import { describe, expect, it } from '@jest/globals';
import { layoutText, parseLayout } from '../protocol/model/layout.js';
import { type Logger, silentLogger } from '../support/logger.js';
import { Layouts } from './layouts.js';
import type { Queue } from './route.js';

const SHARED = { addresses: [{ host: 'proxy', port: 1 }] };

/** Queues behind one proxy, unless each broker has its own. */
function queuesOf(text: string, change: Partial<Queue> = {}, hasProxies = false): Queue[] {
  return (parseLayout(text) ?? []).flatMap(({ brokerName, queues }) => {
    const endpoint = hasProxies ? { addresses: [{ host: brokerName, port: 1 }] } : SHARED;
    const about = { topic: 't', brokerName, brokerId: 0, endpoint, readable: true, writable: true, types: [] };
    return Array.from({ length: queues }, (_, id) => ({ ...about, id, wire: {} as Queue['wire'], ...change }));
  });
}

describe('the layout of a topic', () => {
  function layouts(declared = '') {
    const warnings: unknown[] = [];
    const logger: Logger = { ...silentLogger, warn: (_, fields) => void warnings.push(fields) };
    const known = new Layouts(new Map(declared === '' ? [] : [['t', parseLayout(declared) ?? []]]), logger);
    const ofProxies = (text: string): string => layoutText(known.after('t', queuesOf(text, {}, true), undefined));
    const after = (text: string, change?: Partial<Queue>, order?: string): string =>
      layoutText(known.after('t', queuesOf(text, change), order === undefined ? undefined : parseLayout(order)));
    return { known, after, ofProxies, warnings };
  }

  it('keeps a broker that is missing, has no master or cannot be written, with the queues that it had', () => {
    const { after } = layouts();
    expect(after('a:4;b:4')).toBe('a:4;b:4');
    expect(after('b:4')).toBe('a:4;b:4');
    expect(after('b:8')).toBe('a:4;b:8');
    expect(after('a:2;b:8')).toBe('a:2;b:8');
    expect(after('a:2;b:8', { writable: false })).toBe('a:2;b:8');
    expect(after('a:2;b:8', { brokerId: 1 })).toBe('a:2;b:8');
    expect(after('')).toBe('a:2;b:8');
  });

  it('is reported once when no broker is known, and again when that comes back', () => {
    const { known, after, warnings } = layouts('a:4');
    const none = () => known.after('t', [], undefined);
    const warning = { topic: 't', layout: 'a:4' };
    for (let round = 0; round < 2; round++) expect(layoutText(none())).toBe('a:4');
    expect(warnings).toEqual([warning]);
    after('a:4');
    none();
    expect(warnings).toEqual([warning, warning]);
  });

  it('logs a warning when groups of a topic in use move, and only then', () => {
    const { known, after, warnings } = layouts();
    after('a:4');
    after('a:4;b:4');
    expect(warnings).toEqual([]);
    known.use('t');
    after('a:4');
    after('b:4;a:4');
    expect(warnings).toEqual([]);
    after('a:4;b:4;c:4');
    expect(warnings).toEqual([{ topic: 't', before: 'a:4;b:4', now: 'a:4;b:4;c:4' }]);
    after('a:4;b:4;c:4', {}, 'a:4;c:4');
    expect(warnings.slice(1)).toEqual([{ topic: 't', before: 'a:4;b:4;c:4', now: 'a:4;c:4' }]);
  });

  it('has the order of the servers where each broker has a proxy, and a declared one with another order is reported once', () => {
    const { ofProxies, warnings } = layouts('a:4;b:4;c:4');
    expect(ofProxies('b:4;a:4')).toBe('a:4;b:4;c:4');
    expect(warnings).toEqual([]);
    expect(ofProxies('c:4;b:4;a:4')).toBe('c:4;b:4;a:4');
    expect(ofProxies('b:4')).toBe('c:4;b:4;a:4');
    expect(ofProxies('c:4;b:4;a:4;d:4')).toBe('c:4;b:4;a:4');
    expect(warnings).toEqual([{ topic: 't', topicLayouts: 'a:4;b:4;c:4', shouldBe: 'c:4;b:4;a:4' }]);
  });

  it.each([
    ['a:4', 'a:8'],
    ['a:8', 'a:4'],
    ['a:4', 'a:4;b:4'],
  ])('is reported once when %s is declared and the topic has %s', (declared, isThere) => {
    const { after, warnings } = layouts(declared);
    for (const _ of [1, 2]) expect(after(isThere)).toBe(declared);
    expect(warnings).toEqual([{ topic: 't', topicLayouts: declared, isThere }]);
  });

  it('is not reported while a broker that is declared is missing, or fixed by the order configuration', () => {
    const { after, warnings } = layouts('a:4;b:4');
    after('b:4');
    after('a:4;b:8', {}, 'a:4;b:4');
    expect(warnings).toEqual([]);
  });

  it('logs a warning when the order of the servers changes where each broker has a proxy, because groups move', () => {
    const { known, ofProxies, warnings } = layouts();
    known.use('t');
    ofProxies('a:4;b:4');
    ofProxies('b:4;a:4');
    expect(warnings).toEqual([{ topic: 't', before: 'a:4;b:4', now: 'b:4;a:4' }]);
  });

  it('logs no warning when the first broker of a declared layout comes back with its proxy', () => {
    const { known, ofProxies, warnings } = layouts('b:4;a:4');
    known.use('t');
    expect(ofProxies('a:4')).toBe('b:4;a:4');
    expect(ofProxies('b:4;a:4')).toBe('b:4;a:4');
    expect(warnings).toEqual([]);
  });

  it('forgets what is missing when the names of brokers never end', () => {
    const { after } = layouts();
    for (let index = 0; index < 256; index++) after(`broker-${index}:1`);
    expect(after('broker-255:1').split(';')).toHaveLength(256);
    expect(after('one-more:1')).toBe('one-more:1');
  });

  it('names the brokers that a proxy could not connect to, until one has stored a message again', () => {
    const { known } = layouts();
    known.noteAway('a');
    known.noteAway('b');
    expect([...known.brokersAway()]).toEqual(['a', 'b']);
    known.noteReached('a');
    expect([...known.brokersAway()]).toEqual(['b']);
  });

  it('names them once for an outage, and again for the next one, even if nothing was stored between', () => {
    let nowMs = 0;
    const known = new Layouts(new Map(), silentLogger, () => nowMs);
    const namedAfter = (atMs: number): readonly string[] => {
      nowMs = atMs;
      known.noteAway('a');
      return [...known.brokersAway()];
    };
    expect(namedAfter(0)).toEqual(['a']);
    expect(namedAfter(24_000)).toEqual(['a']);
    // A proxy that still has it in its routes keeps it there.
    expect([26_000, 45_000, 64_000].map(namedAfter)).toEqual([[], [], []]);
    expect(namedAfter(90_000)).toEqual(['a']);
    expect(namedAfter(116_000)).toEqual([]);
  });
});
