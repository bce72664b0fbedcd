import { describe, expect, it } from '@jest/globals';
import { type SendingEvent, sendViolations, transactionViolations } from './sending-history.js';

const began = (id: string, group?: string): SendingEvent => ({ kind: 'began', id, group });
const reported = (id: string, outcome: 'stored' | 'not-sent' | 'rejected' | 'unknown'): SendingEvent => {
  return { kind: 'reported', id, outcome };
};
const decided = (id: string, resolution: 'commit' | 'rollback'): SendingEvent => ({ kind: 'decided', id, resolution });
const visible = (id: string): SendingEvent => ({ kind: 'visible', id });

describe('the checker of sends', () => {
  it('accepts stored messages that are there once or twice, and unknown ones that are there or not', () => {
    const history = [
      began('a'),
      reported('a', 'stored'),
      visible('a'),
      visible('a'),
      began('b'),
      reported('b', 'unknown'),
      visible('b'),
      began('c'),
      reported('c', 'unknown'),
      began('d'),
      reported('d', 'not-sent'),
      began('e'),
      visible('e'),
    ];
    expect(sendViolations(history)).toEqual([]);
  });

  it('finds a stored message that is lost', () => {
    expect(sendViolations([began('a'), reported('a', 'stored')])).toEqual(['a was reported as stored and is lost']);
  });

  it.each(['not-sent', 'rejected'] as const)('finds a message that was reported as %s and is there', (outcome) => {
    const history = [began('a'), reported('a', outcome), visible('a')];
    expect(sendViolations(history)).toEqual([`a was reported as ${outcome} and is there`]);
  });

  it('finds a message that nobody sent', () => {
    expect(sendViolations([visible('a')])).toEqual(['a was visible, and nobody had sent it']);
  });

  it('finds a message that overtook an earlier one of its group, and no other', () => {
    const sent = (id: string, group: string): SendingEvent[] => [began(id, group), reported(id, 'stored')];
    const history = [...sent('a', 'g'), ...sent('b', 'g'), ...sent('c', 'h'), visible('c'), visible('b'), visible('a')];
    expect(sendViolations(history)).toEqual(['b overtook a']);
  });

  it('accepts any order of messages of a group that were in flight together', () => {
    const together = [began('a', 'g'), began('b', 'g'), reported('a', 'stored'), reported('b', 'stored')];
    expect(sendViolations([...together, visible('b'), visible('a')])).toEqual([]);
  });
});

describe('the checker of transactions', () => {
  const half = (id: string): SendingEvent[] => [began(id), reported(id, 'stored')];

  it('accepts visibility that agrees with the database', () => {
    const history = [
      ...half('a'),
      decided('a', 'commit'),
      visible('a'),
      visible('a'),
      ...half('b'),
      decided('b', 'rollback'),
      began('c'),
      reported('c', 'unknown'),
      began('d'),
      reported('d', 'unknown'),
      decided('d', 'rollback'),
      began('e'),
      reported('e', 'not-sent'),
      began('f'),
      decided('f', 'rollback'),
    ];
    expect(transactionViolations(history)).toEqual([]);
  });

  it('finds a half message that was seen before it was committed', () => {
    const history = [...half('a'), visible('a'), decided('a', 'commit')];
    expect(transactionViolations(history)).toEqual(['a was seen undecided']);
  });

  it('finds a committed message that is lost', () => {
    expect(transactionViolations([...half('a'), decided('a', 'commit')])).toEqual(['a was committed and is lost']);
  });

  it('finds a rolled-back message that is there', () => {
    const history = [...half('a'), decided('a', 'rollback'), visible('a')];
    expect(transactionViolations(history)).toEqual(['a was rolled back and is there']);
  });

  it('finds a transaction that was decided both ways', () => {
    const history = [...half('a'), decided('a', 'commit'), visible('a'), decided('a', 'rollback')];
    expect(transactionViolations(history)).toContain('a was decided both ways');
  });

  it('finds a stored half message that nobody ever decided', () => {
    expect(transactionViolations(half('a'))).toEqual(['a was never decided']);
  });

  it('finds a local transaction that ran although its half message may not be stored', () => {
    const history = [began('a'), reported('a', 'unknown'), decided('a', 'commit'), visible('a')];
    expect(transactionViolations(history)).toEqual(['a was committed without its half message']);
  });

  it('finds a half message that was reported as not sent and was decided nevertheless', () => {
    const history = [began('a'), reported('a', 'not-sent'), decided('a', 'rollback')];
    expect(transactionViolations(history)).toEqual(['a was reported as not-sent and is there']);
  });
});
