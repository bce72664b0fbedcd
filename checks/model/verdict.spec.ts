import { describe, expect, it } from '@jest/globals';
import type { Fact, GroupKind } from './facts.js';
import { verdictFrom } from './verdict.js';

type Begun = Extract<Fact, { kind: 'begun' }>;

/** Facts of a message that is sent at `atMs` and stored 1 ms later. */
function sent(id: string, atMs: number, { group = 'a', outcome = 'stored' as const } = {}): Fact[] {
  return [
    { kind: 'began', id, group, by: 'producer-0.1', atMs },
    { kind: 'reported', id, outcome, by: 'producer-0.1', atMs: atMs + 1 },
  ];
}

function handled(
  id: string,
  atMs: number,
  { by = 'consumer-0.1', of = 'ordered' as GroupKind, ...more }: Partial<Begun> = {},
): Fact[] {
  const origin = { broker: 'broker', place: '0/1/1', isRetry: false };
  return [
    { kind: 'begun', id, of, ...origin, messageId: id, attempt: 1, by, atMs, ...more },
    { kind: 'handled', id, of, by, atMs: atMs + 5 },
  ];
}

const inTime = (...facts: Fact[][]) => facts.flat().sort((a, b) => timeOf(a) - timeOf(b));
const timeOf = (fact: Fact) => (fact.kind === 'fault' ? fact.fromMs : fact.atMs);

describe('the verdict', () => {
  it('finds nothing in a run in good order', () => {
    const { violations, figures } = verdictFrom(
      inTime(sent('a.1', 0), sent('a.2', 10), handled('a.1', 5), handled('a.2', 20)),
    );
    expect(violations).toEqual([]);
    expect(figures).toMatchObject({ sends: 2, stored: 2, uncertain: 0, rejected: 0, handled: 2, failed: 0 });
  });

  it('finds a message that was stored and never handled', () => {
    expect(verdictFrom(inTime(sent('a.1', 0))).violations).toEqual(['a.1 was stored and is lost']);
  });

  it('finds a message whose sends all said that it was not stored', () => {
    const facts: Fact[] = [
      { kind: 'began', id: 'u.1', by: 'producer-0.1', atMs: 0 },
      { kind: 'reported', id: 'u.1', outcome: 'not-sent', by: 'producer-0.1', atMs: 1 },
    ];
    const { violations } = verdictFrom(inTime(facts, handled('u.1', 9, { of: 'plain' })));
    expect(violations).toEqual(['u.1 was handled, and no send reported that it might be stored']);
  });

  it('finds messages of a message group in another order', () => {
    const { violations } = verdictFrom(inTime(sent('a.1', 0), sent('a.2', 10), handled('a.2', 20), handled('a.1', 30)));
    expect(violations).toEqual(['a.1 was first handled after a.2', 'a.2 began before a.1 was handled']);
  });

  it('finds two processes in one message group', () => {
    const facts = inTime(sent('a.1', 0), sent('a.2', 1), handled('a.1', 10), handled('a.2', 16), [
      {
        kind: 'begun',
        id: 'a.2',
        of: 'ordered',
        broker: 'broker',
        place: '0/2/2',
        isRetry: false,
        messageId: 'a.2',
        attempt: 1,
        by: 'consumer-1.1',
        atMs: 18,
      },
    ]);
    expect(verdictFrom(facts).violations).toEqual(['a.2 began in consumer-1.1 while a.2 was handled in consumer-0.1']);
  });

  it('finds a repetition without a reason, and counts those with one', () => {
    const base = inTime(sent('a.1', 0), handled('a.1', 5), handled('a.1', 20_000, { by: 'consumer-1.1', attempt: 2 }));
    expect(verdictFrom(base).violations).toEqual([
      'a.1 was handled again without a reason: consumer-0.1 attempt 1, then consumer-1.1 attempt 2, 19990 ms later',
    ]);
    const because = (fact: Fact) => {
      const { violations, figures } = verdictFrom(inTime(base, [fact]));
      expect(violations).toEqual([]);
      return [...figures.repeated];
    };
    const fault = { kind: 'fault' as const, toMs: 12_000 };
    const isRetry = { by: 'consumer-1.1', place: '1/1/9', isRetry: true };
    expect(verdictFrom(inTime(base.slice(0, 4), handled('a.1', 20_000, isRetry))).violations).toHaveLength(1);
    expect(because({ kind: 'doubted', id: 'a.1', of: 'ordered', by: 'consumer-0.1', atMs: 11 })).toEqual([
      ['reported', 1],
    ]);
    expect(because({ ...fault, what: 'kill', target: 'consumer-0.1', fromMs: 12 })).toEqual([['consumer killed', 1]]);
    expect(because({ ...fault, what: 'stop', target: 'consumer-0.1', fromMs: 12 })).toEqual([['consumer stopped', 1]]);
    expect(because({ ...fault, what: 'kill', target: 'broker', fromMs: 12 })).toEqual([['broker killed', 1]]);
    expect(because({ ...fault, what: 'stop', target: 'broker', fromMs: 12 })).toEqual([['broker stopped', 1]]);
  });

  it('takes what was reported before it in its queue for a reason, and nothing else that was reported', () => {
    const doubted = { kind: 'doubted' as const, id: 'b.1', of: 'ordered' as const, by: 'consumer-0.1', atMs: 11 };
    const of = (place: string) =>
      inTime(
        sent('a.1', 0),
        sent('b.1', 0),
        handled('b.1', 4, { place }),
        handled('a.1', 5),
        [doubted],
        handled('a.1', 20_000, { attempt: 2 }),
      );
    expect([...verdictFrom(of('0/0/0')).figures.repeated]).toEqual([['behind reported', 1]]);
    for (const place of ['0/9/9', '1/0/0']) expect(verdictFrom(of(place)).violations).toHaveLength(1);
  });

  it('takes a broker that was stopped when the lease ended for a reason, in an ordinary group', () => {
    const again = (of: GroupKind, fromMs: number, toMs: number) => {
      const began = sent('a.1', 0).map((fact) =>
        fact.kind === 'began' && of === 'plain' ? { ...fact, group: undefined } : fact,
      );
      const later = { of, by: 'consumer-1.1', attempt: 2, place: '0/9/9', isRetry: true };
      const stop: Fact = { kind: 'fault', what: 'stop', target: 'broker', fromMs, toMs };
      return verdictFrom(inTime(began, handled('a.1', 5, { of }), [stop], handled('a.1', 26_000, later)));
    };
    expect([...again('plain', 10_700, 24_000).figures.repeated]).toEqual([['broker stopped', 1]]);
    expect(again('plain', 10_700, 24_000).violations).toEqual([]);
    for (const [of, fromMs, toMs] of [
      ['ordered', 10_700, 24_000],
      ['plain', 12_100, 24_000],
      ['plain', 6_000, 9_900],
      ['plain', 10_700, 27_000],
    ] as const) {
      expect(again(of, fromMs, toMs).violations).toHaveLength(1);
    }
  });

  it('takes no fault of another process, or of another time, for a reason', () => {
    const base = inTime(sent('a.1', 0), handled('a.1', 5), handled('a.1', 40_000, { by: 'consumer-1.1', attempt: 2 }));
    const faults: Fact[] = [
      { kind: 'fault', what: 'kill', target: 'consumer-1.1', fromMs: 12, toMs: 12 },
      { kind: 'fault', what: 'kill', target: 'consumer-0.1', fromMs: 30_000, toMs: 30_000 },
      { kind: 'fault', what: 'kill', target: 'broker', fromMs: 8_000, toMs: 12_000 },
      // The other broker, and stops that ended before the handler began.
      { kind: 'fault', what: 'kill', target: 'broker-1', fromMs: 12, toMs: 2_000 },
      { kind: 'fault', what: 'stop', target: 'broker-1', fromMs: 12, toMs: 12_000 },
      { kind: 'fault', what: 'stop', target: 'broker', fromMs: -4_000, toMs: 4 },
      { kind: 'fault', what: 'stop', target: 'consumer-0.1', fromMs: -12_000, toMs: 4 },
    ];
    expect(verdictFrom(inTime(base, faults)).violations).toHaveLength(1);
  });

  it('takes a handler that began while its process was being killed for one that may not be confirmed', () => {
    const facts = inTime(
      sent('a.1', 0),
      handled('a.1', 14),
      handled('a.1', 9_500, { by: 'consumer-1.1', attempt: 2 }),
      [
        { kind: 'fault', what: 'kill', target: 'consumer-0.1', fromMs: 10, toMs: 9_000 },
        { kind: 'died', by: 'consumer-0.1', atMs: 150 },
      ],
    );
    const { violations, figures } = verdictFrom(facts);
    expect(violations).toEqual([]);
    expect([...figures.repeated]).toEqual([['consumer killed', 1]]);
  });

  it('takes a redelivery for no second copy', () => {
    const retried = { by: 'consumer-1.1', place: '1/1/9', isRetry: true, attempt: 2 };
    const away: Fact = { kind: 'fault', what: 'stop', target: 'namesrv', fromMs: 0, toMs: 2 };
    const facts = inTime(sent('a.1', 0), handled('a.1', 50), handled('a.1', 20_000, retried), [away]);
    expect(verdictFrom(facts).violations).toHaveLength(1);
  });

  it('explains a message that a broker handed out to nobody and then forgot to have read', () => {
    const first = { of: 'plain' as const, place: '0/0/9', isRetry: true, attempt: 2 };
    const began: Fact = { kind: 'began', id: 'u.1', by: 'producer-0.1', atMs: 0 };
    const facts = (killedAtMs: number, broker = 'broker') =>
      inTime([began], handled('u.1', 40_100, first), handled('u.1', 40_200, { of: 'plain' }), [
        { kind: 'fault', what: 'kill', target: broker, fromMs: killedAtMs, toMs: 40_000 },
      ]);
    const { violations, figures } = verdictFrom(facts(1_000));
    expect(violations).toEqual([]);
    expect([...figures.repeated]).toEqual([['broker killed', 1]]);
    // A handler that failed is nobody, too.
    const failed = handled('u.1', 900, { of: 'plain' }).map((fact) =>
      fact.kind === 'handled' ? { ...fact, kind: 'failed' as const } : fact,
    );
    expect(verdictFrom(inTime(facts(1_000), failed)).violations).toEqual([]);
    // The broker has kept two leases of it.
    const [two, three] = [2, 3].map((attempt) => ({
      of: 'plain' as const,
      place: `0/${attempt}/9`,
      isRetry: true,
      attempt,
    }));
    const kept = (killedAtMs: number, earlier = three, later = two) =>
      inTime([began], failed, handled('u.1', 40_100, earlier), handled('u.1', 40_200, later), [
        { kind: 'fault', what: 'kill', target: 'broker', fromMs: killedAtMs, toMs: killedAtMs + 9_000 },
      ]);
    expect(verdictFrom(kept(1_000)).violations).toEqual([]);
    expect(verdictFrom(kept(1_000, two, three)).violations).toEqual([]);
    expect(verdictFrom(kept(20_000)).violations).toHaveLength(1);
    expect(verdictFrom(kept(20_000, two, three)).violations).toHaveLength(1);
    // Until then, the broker had written down how far the group had read; and another broker has nothing to do with it.
    expect(verdictFrom(facts(30_000)).violations).toHaveLength(1);
    expect(verdictFrom(facts(1_000, 'broker-1')).violations).toHaveLength(1);
  });

  it('explains a copy by a request that the client repeats', () => {
    const facts = (tookMs: number, copy: Partial<Begun>, other: Partial<Begun>) =>
      inTime(
        [
          { kind: 'began', id: 'a.1', group: 'a', by: 'producer-0.1', atMs: 0 },
          { kind: 'reported', id: 'a.1', outcome: 'stored', by: 'producer-0.1', atMs: tookMs },
        ],
        handled('a.1', 3_200, copy),
        handled('a.1', 3_300, other),
      );
    const first = { place: '0/1/9' };
    for (const [copy, other] of [
      [first, { place: '0/2/9' }],
      [first, { broker: 'broker-1', place: '0/1/8', isRetry: true }],
      // The first deliveries reached nobody.
      [
        { place: '0/3/9', attempt: 2 },
        { place: '0/4/9', attempt: 1 },
      ],
      [
        { place: '0/3/9', isRetry: true, attempt: 2 },
        { place: '0/4/9', isRetry: true, attempt: 2 },
      ],
    ] as const) {
      expect(verdictFrom(facts(3_100, copy, other)).violations).toEqual([]);
      expect(verdictFrom(facts(900, copy, other)).violations).toHaveLength(1);
    }
    expect(verdictFrom(facts(3_100, first, { place: '0/4/9', isRetry: true, attempt: 2 })).violations).toHaveLength(1);
  });

  it('explains a copy by a send that was repeated', () => {
    const facts = inTime(
      [
        { kind: 'began', id: 'a.1', group: 'a', by: 'producer-0.1', atMs: 0 },
        { kind: 'reported', id: 'a.1', outcome: 'unknown', by: 'producer-0.1', atMs: 3 },
      ],
      sent('a.1', 4),
      handled('a.1', 10),
      handled('a.1', 30, { place: '0/2/9', messageId: 'another' }),
    );
    const { violations, figures } = verdictFrom(facts);
    expect(violations).toEqual([]);
    expect([...figures.repeated]).toEqual([['stored twice', 1]]);
    expect(figures).toMatchObject({ sends: 2, stored: 1, uncertain: 1 });
  });
});
