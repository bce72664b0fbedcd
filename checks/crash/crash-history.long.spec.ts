import { describe, expect, it } from '@jest/globals';
import { type CrashEvent, crashViolations } from './crash-history.js';

const began = (id: string, more: object = {}): CrashEvent => ({ kind: 'began', id, ...more });
const answered = (id: string, outcome: 'stored' | 'rejected' = 'stored'): CrashEvent => ({
  kind: 'answered',
  id,
  outcome,
});
const acked = (id: string): CrashEvent => ({ kind: 'acked', id });
const ending = (id: string, resolution: 'commit' | 'rollback'): CrashEvent => ({ kind: 'ending', id, resolution });
const ended = (id: string): CrashEvent => ({ kind: 'ended', id });
const delivered = (id: string, offset = 0, receive = offset, atMs = 1_000): CrashEvent => {
  return { kind: 'delivered', id, queue: 'q', offset, atMs, receive };
};
const sent = (id: string, more: object = {}): CrashEvent[] => [began(id, more), answered(id)];

const BATCH_SIZE = 2;
/** Of another queue than the others. */
const elsewhere = (id: string, receive: number): CrashEvent[] => [
  ...sent(id),
  { kind: 'delivered', id, queue: 'r', offset: 0, atMs: 1_000, receive },
];

/** Two messages of one group, both handed out. */
const bothOpen = [
  ...sent('a', { group: 'g' }),
  ...sent('b', { group: 'g' }),
  delivered('a', 0, 0),
  delivered('b', 1, 0),
];

describe('a right history', () => {
  it.each<[string, CrashEvent[]]>([
    ['nothing', []],
    ['sent, delivered, acked', [...sent('a'), delivered('a'), acked('a')]],
    ['an answer lost, the message stored', [began('a'), delivered('a'), acked('a')]],
    ['an answer lost, and the message with it', [began('a')]],
    ['rejected', [began('a'), answered('a', 'rejected')]],
    ['delivered again before an ack was answered', [...sent('a'), delivered('a', 0, 0), delivered('a', 0, 1)]],
    ['a half message that nobody ended', [...sent('a', { half: true })]],
    ['rolled back', [...sent('a', { half: true }), ending('a', 'rollback'), ended('a')]],
    ['committed', [...sent('a', { half: true }), ending('a', 'commit'), delivered('a'), ended('a')]],
    ['committed with the answer lost, and gone', [...sent('a', { half: true }), ending('a', 'commit')]],
    ['delayed', [...sent('a', { dueAtMs: 1_000 }), delivered('a')]],
    [
      'an ordered message again behind the first open one',
      [...bothOpen, acked('b'), delivered('a', 0, 1), delivered('b', 1, 1)],
    ],
    [
      'an ordered message whose second ack got lost, after the first one was acked',
      [...bothOpen, acked('b'), delivered('a', 0, 1), delivered('b', 1, 1), acked('a'), delivered('b', 1, 2)],
    ],
    [
      'an ordered message again with one that was open when both were handed out',
      [...bothOpen, acked('b'), delivered('a', 0, 1), acked('a'), delivered('b', 1, 1)],
    ],
    [
      'an ordered message again whose ack a receive forgot that had no room for it',
      [...bothOpen, acked('b'), ...elsewhere('c', 1), delivered('a', 0, 1), acked('a'), delivered('b', 1, 2)],
    ],
  ])('is %s', (_name, history) => {
    expect(crashViolations(history, BATCH_SIZE)).toEqual([]);
  });
});

describe('a wrong history', () => {
  it.each<[string, CrashEvent[]]>([
    ['a was stored and is lost', [...sent('a')]],
    ['a was delivered again after its ack', [...sent('a'), delivered('a'), acked('a'), delivered('a')]],
    ['a was rejected and is there', [began('a'), answered('a', 'rejected'), delivered('a')]],
    ['a was seen before its transaction was committed', [...sent('a', { half: true }), delivered('a')]],
    [
      'a was seen before its transaction was committed',
      [...sent('a', { half: true }), ending('a', 'rollback'), delivered('a')],
    ],
    ['a was committed and is lost', [...sent('a', { half: true }), ending('a', 'commit'), ended('a')]],
    ['a came 1 ms early', [...sent('a', { dueAtMs: 1_001 }), delivered('a')]],
    ['a is there twice', [...sent('a'), delivered('a', 0), delivered('a', 1)]],
    ['x was delivered and never sent', [delivered('x')]],
    [
      'b overtook a',
      [...sent('a', { group: 'g' }), ...sent('b', { group: 'g' }), delivered('b', 1), delivered('a', 0)],
    ],
    [
      'a was delivered again after its ack',
      [...sent('a', { group: 'g' }), delivered('a', 0, 0), acked('a'), delivered('a', 0, 1)],
    ],
    ['b was delivered again after its ack', [...bothOpen, acked('a'), acked('b'), delivered('b', 1, 1)]],
    [
      'b was delivered again after its ack',
      [...bothOpen, acked('b'), delivered('a', 0, 1), acked('a'), delivered('b', 1, 2)],
    ],
    [
      'b was delivered again after its ack',
      [...bothOpen, acked('a'), acked('b'), ...elsewhere('c', 1), ...elsewhere('d', 1), delivered('b', 1, 2)],
    ],
  ])('%s', (violation, history) => {
    expect(crashViolations(history, BATCH_SIZE)).toContain(violation);
  });
});
