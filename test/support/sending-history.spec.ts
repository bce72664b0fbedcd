import { describe, expect, it } from '@jest/globals';
import { type SendingEvent, sendViolations, transactionViolations } from './sending-history.js';

const began = (id: string, group?: string): SendingEvent => ({ kind: 'began', id, group });
const told = (id: string, outcome: 'stored' | 'not-sent' | 'rejected' | 'unknown'): SendingEvent => {
  return { kind: 'told', id, outcome };
};
const decided = (id: string, resolution: 'commit' | 'rollback'): SendingEvent => ({ kind: 'decided', id, resolution });
const visible = (id: string): SendingEvent => ({ kind: 'visible', id });

describe('the checker of sends', () => {
  it('finds nothing where stored messages are there once or twice, and doubtful ones are there or not', () => {
    const history = [
      began('a'),
      told('a', 'stored'),
      visible('a'),
      visible('a'),
      ...[began('b'), told('b', 'unknown'), visible('b')],
      ...[began('c'), told('c', 'unknown')],
      ...[began('d'), told('d', 'not-sent')],
      ...[began('e'), visible('e')],
    ];
    expect(sendViolations(history)).toEqual([]);
  });

  it('finds a stored message that is lost', () => {
    expect(sendViolations([began('a'), told('a', 'stored')])).toEqual(['a was told as stored and is lost']);
  });

  it.each(['not-sent', 'rejected'] as const)('finds a message that was told as %s and is there', (outcome) => {
    const history = [began('a'), told('a', outcome), visible('a')];
    expect(sendViolations(history)).toEqual([`a was told as ${outcome} and is there`]);
  });

  it('finds a message that nobody sent', () => {
    expect(sendViolations([visible('a')])).toEqual(['a was visible, and nobody had sent it']);
  });

  it('finds a message that overtook an earlier one of its group, and no other', () => {
    const sent = (id: string, group: string): SendingEvent[] => [began(id, group), told(id, 'stored')];
    const history = [...sent('a', 'g'), ...sent('b', 'g'), ...sent('c', 'h'), visible('c'), visible('b'), visible('a')];
    expect(sendViolations(history)).toEqual(['b overtook a']);
  });

  it('lets messages of a group that were under way together come in any order', () => {
    const together = [began('a', 'g'), began('b', 'g'), told('a', 'stored'), told('b', 'stored')];
    expect(sendViolations([...together, visible('b'), visible('a')])).toEqual([]);
  });
});

describe('the checker of transactions', () => {
  const half = (id: string): SendingEvent[] => [began(id), told(id, 'stored')];

  it('finds nothing where visibility follows the database', () => {
    const history = [
      ...[...half('a'), decided('a', 'commit'), visible('a'), visible('a')],
      ...[...half('b'), decided('b', 'rollback')],
      ...[began('c'), told('c', 'unknown')],
      ...[began('d'), told('d', 'unknown'), decided('d', 'rollback')],
      ...[began('e'), told('e', 'not-sent')],
      ...[began('f'), decided('f', 'rollback')],
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

  it('finds a local transaction that ran though its half message may not be there', () => {
    const history = [began('a'), told('a', 'unknown'), decided('a', 'commit'), visible('a')];
    expect(transactionViolations(history)).toEqual(['a was committed without its half message']);
  });

  it('finds a half message that was told as not sent and was decided all the same', () => {
    const history = [began('a'), told('a', 'not-sent'), decided('a', 'rollback')];
    expect(transactionViolations(history)).toEqual(['a was told as not-sent and is there']);
  });
});
