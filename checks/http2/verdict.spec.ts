import { describe, expect, it } from '@jest/globals';
import { idOf, type Records, type Sent, violationsOf } from './verdict.js';

const sent = (id: string, failure?: Sent['failure']): Sent => ({ id, digest: `of ${id}`, ...(failure && { failure }) });
const handled = (id: string, digest = `of ${id}`) => ({ id, digest });
const violationsIn = (records: Partial<Records>): string[] =>
  violationsOf({ sent: [], handled: [], doubted: new Set(), ...records });
const [first, second] = [idOf(1, 'a'), idOf(2, 'a')];
const [one, two] = [idOf(1), idOf(2)];

describe('the verdict on a peer', () => {
  it('finds nothing wrong with messages that are handled once, those of a message group in their order', () => {
    const all = [first, second, one, two];
    expect(
      violationsIn({ sent: all.map((id) => sent(id)), handled: [two, first, one, second].map((id) => handled(id)) }),
    ).toEqual([]);
  });

  it.each<[string, Partial<Records>]>([
    ['was sent and never handled', { sent: [sent(one)] }],
    ['was handled with another body', { sent: [sent(one)], handled: [handled(one, 'other')] }],
    ['was handled twice', { sent: [sent(one)], handled: [handled(one), handled(one)] }],
    ['was handled after number 2', { sent: [sent(first), sent(second)], handled: [handled(second), handled(first)] }],
    ['could not be sent: rejected', { sent: [sent(one, { text: 'rejected', outcome: 'rejected', isHaste: false })] }],
    [
      'was handled, and was reported as not sent',
      { sent: [sent(one, { text: 'late', outcome: 'not-sent', isHaste: true })], handled: [handled(one)] },
    ],
  ])('reports a message that %s', (text, records) => {
    expect(violationsIn(records)).toEqual([expect.stringContaining(text)]);
  });

  it('accepts a second handling of what the consumer reported, and either end of a send that was given up', () => {
    expect(violationsIn({ sent: [sent(one)], handled: [handled(one), handled(one)], doubted: new Set([one]) })).toEqual(
      [],
    );
    const late = sent(two, { text: 'late', outcome: 'unknown', isHaste: true });
    expect(violationsIn({ sent: [late] })).toEqual([]);
    expect(violationsIn({ sent: [late], handled: [handled(two)] })).toEqual([]);
  });
});
