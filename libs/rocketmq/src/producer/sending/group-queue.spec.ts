import { describe, expect, it } from '@jest/globals';
import { Layouts } from '../../client/layouts.js';
import type { Queue, Route } from '../../client/route.js';
import { type Layout, parseLayout, placeOfMessageGroup } from '../../protocol/model/layout.js';
import { commandLine } from '../../support/command-line.js';
import { silentLogger } from '../../support/logger.js';
import { GroupQueues } from './group-queue.js';

const GROUPS = Array.from({ length: 64 }, (_, index) => `group-${index}`);
const WHOLE = 'a:4;b:4;c:4';
const ON = (...words: readonly string[]): string => commandLine(...words, '--name-server', 'ns-1:9876');
const NONE: ReadonlySet<string> = new Set();

/** The queues of a layout. @param hostOf where each broker is reached */
function queuesOf(text: string, hostOf: (brokerName: string) => string): Queue[] {
  return (parseLayout(text) ?? []).flatMap(({ brokerName, queues }) => {
    const endpoint = { addresses: [{ host: hostOf(brokerName), port: 1 }] };
    const about = { topic: 't', brokerName, brokerId: 0, endpoint, readable: true, writable: true, types: [] };
    return Array.from({ length: queues }, (_, id) => ({ ...about, id, wire: {} as Queue['wire'] }));
  });
}

/** Routes of a client that sees one after the other. */
function seen(hostOf: (brokerName: string) => string, declared: Record<string, string> = {}) {
  const layouts = new Map(Object.entries(declared).map(([topic, text]) => [topic, parseLayout(text) ?? []]));
  const known = new Layouts(layouts, silentLogger);
  return (text: string, order?: Layout): Route => {
    const queues = queuesOf(text, hostOf);
    return { topic: 't', queues, types: [], layout: known.after('t', queues, order) };
  };
}

const onePerBroker = (brokerName: string): string => brokerName;
const oneForAll = (): string => 'proxy';
const whereOf = ({ brokerName, id }: Queue): string => `${brokerName}:${id}`;

/** Where each group goes; `none` where it may not be sent. */
function places(route: Route, keepsChosenQueue: boolean, away: ReadonlySet<string> = NONE): string[] {
  const groups = new GroupQueues(ON);
  return GROUPS.map((group) => {
    try {
      return whereOf(groups.queueOf(route, group, keepsChosenQueue, away));
    } catch (error) {
      expect(error).toMatchObject({ code: 'MESSAGE_GROUP_UNAVAILABLE', outcome: 'not-sent', retryable: true });
      return 'none';
    }
  });
}

/** What a proxy chooses that sees these brokers. */
function choices(text: string): string[] {
  const layout = parseLayout(text) ?? [];
  return GROUPS.map((group) => placeOfMessageGroup(layout, group)).map((at) => `${at.brokerName}:${at.queueId}`);
}

describe('the queue of a message group', () => {
  it('is that of a proxy, where the client chooses it', () => {
    expect(places(seen(onePerBroker)('b:4;a:4;c:4'), true)).toEqual(choices(WHOLE));
  });

  it('stays while a broker is missing, and nothing is sent to the groups of that one', () => {
    for (const [missing, rest] of [
      ['a', 'b:4;c:4'],
      ['b', 'a:4;c:4'],
      ['c', 'a:4;b:4'],
    ] as const) {
      const route = seen(onePerBroker);
      const whole = places(route(WHOLE), true);
      expect(places(route(rest), true)).toEqual(whole.map((at) => (at.startsWith(missing) ? 'none' : at)));
      expect(places(route(WHOLE), true)).toEqual(whole);
    }
  });

  it('is used behind a proxy for all brokers only while that would choose the same', () => {
    const route = seen(oneForAll);
    expect(places(route(WHOLE), false)).toEqual(choices(WHOLE));
    for (const rest of ['a:4;b:4', 'b:4;c:4', 'a:4', 'c:4']) {
      const chosen = choices(rest);
      const expected = choices(WHOLE).map((at, index) => (at === chosen[index] ? at : 'none'));
      expect(places(route(rest), false)).toEqual(expected);
    }
    expect(places(route('a:4;b:4'), false)).toContain('a:0');
  });

  it('is not used while a proxy that could not connect to a broker may forget it at any moment', () => {
    const whole = choices(WHOLE);
    for (const [away, rest] of [
      ['a', 'b:4;c:4'],
      ['c', 'a:4;b:4'],
    ] as const) {
      const route = seen(oneForAll)(WHOLE);
      const chosen = choices(rest);
      const expected = whole.map((at, index) => (at === chosen[index] ? at : 'none'));
      expect(places(route, false, new Set([away]))).toEqual(expected);
      expect(places(route, true, new Set([away]))).toEqual(whole);
    }
    expect(places(seen(oneForAll)('a:4'), false, new Set(['a']))).not.toContain('none');
  });

  it('is on the broker that all clients choose, where each broker has its own proxy', () => {
    const route = seen(onePerBroker);
    const two = route('a:2;b:2');
    // floorMod of the published vectors: "g1" by 4 is 0, "order-12345" by 4 is 2.
    expect(whereOf(new GroupQueues(ON).queueOf(two, 'g1', false, NONE))).toBe('a:0');
    expect(whereOf(new GroupQueues(ON).queueOf(two, 'order-12345', false, NONE))).toBe('b:0');
    const whole = places(two, false);
    const without = places(route('b:2'), false);
    expect(without).toEqual(whole.map((at) => (at.startsWith('a') ? 'none' : at)));
    expect(places(route('b:2;a:2'), false)).toEqual(places(seen(onePerBroker)('b:2;a:2'), false));
  });

  it('is of no broker that it is not certain about, in a process that has seen one broker of a declared layout', () => {
    const declared = { t: 'a:4;b:4' };
    const [together, apart] = [oneForAll, onePerBroker].map((hostOf) => places(seen(hostOf)('a:4;b:4'), false)) as [
      string[],
      string[],
    ];
    for (const hostOf of [oneForAll, onePerBroker]) {
      const found = places(seen(hostOf, declared)('b:4'), false);
      for (const [index, at] of found.entries()) {
        if (at !== 'none') expect([together[index]?.[0], apart[index]?.[0]]).toEqual(['b', 'b']);
      }
      expect(found).toContain('none');
    }
  });

  it('is that of the order configuration, then of the declared layout, then of the most that was seen', () => {
    const route = seen(onePerBroker, { t: 'a:2;b:2' });
    expect(places(route(WHOLE), true)).toEqual(choices('a:2;b:2'));
    expect(places(route(WHOLE, parseLayout('c:1;b:1')), true)).toEqual(choices('b:1;c:1'));
    const undeclared = seen(onePerBroker);
    undeclared('a:4');
    expect(places(undeclared('b:4;a:8'), true)).toEqual(choices('a:8;b:4'));
    // What an operator has removed for good is removed at once.
    expect(places(undeclared('b:4', parseLayout('b:4')), true)).toEqual(choices('b:4'));
    expect(places(undeclared('b:4'), true)).toEqual(choices('b:4'));
  });

  it('is none on a topic that cannot be written at all', () => {
    expect(() => new GroupQueues(ON).queueOf(seen(onePerBroker)(''), 'g1', true, NONE)).toThrow('[FORBIDDEN]');
  });

  it('depends on a fresh route where a proxy chooses among several brokers', () => {
    const dependsOnProxy = (text: string, hostOf: (brokerName: string) => string): boolean =>
      new GroupQueues(ON).dependsOnProxy(seen(hostOf)(text));
    expect(dependsOnProxy(WHOLE, oneForAll)).toBe(true);
    expect(dependsOnProxy(WHOLE, onePerBroker)).toBe(false);
    expect(dependsOnProxy('a:4', oneForAll)).toBe(false);
  });

  it('says in its error which broker is missing, and which command accepts that', () => {
    const route = seen(onePerBroker);
    route('a:4;b:4');
    const gone = route('b:4');
    const group = GROUPS.find((one) => placeOfMessageGroup(parseLayout('a:4;b:4') ?? [], one).brokerName === 'a') ?? '';
    const send = () => new GroupQueues(ON).queueOf(gone, group, true, NONE);
    expect(send).toThrow('broker "a" stores its message group, and is missing or cannot be written; nothing was sent');
    expect(send).toThrow('topic layout t --accept --name-server ns-1:9876, and');
  });
});
