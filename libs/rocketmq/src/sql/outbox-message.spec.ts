import { describe, expect, it } from '@jest/globals';
import { HOUR_MS } from '../support/clock.js';
import { type OutboxMessage, toColumns } from './outbox-message.js';

const bodyOf = (body: OutboxMessage['body']): string =>
  Buffer.from(toColumns({ topic: 'orders', body }, 'id', 0, HOUR_MS).body, 'base64').toString();

describe('the body of a message in the outbox', () => {
  it('is rejected when it is a string with half of a character, and nothing else is changed', () => {
    expect(() => bodyOf('a\ud83d')).toThrow(expect.objectContaining({ code: 'ILLEGAL_BODY', field: 'body' }));
    expect(() => bodyOf('a\ud83d')).toThrow(
      /message to "orders": body contains half of a character.*; nothing was added/,
    );
    expect(bodyOf('a😀')).toBe('a😀');
    expect(bodyOf(['a\ud83d'])).toBe('["a\\ud83d"]');
  });
});
