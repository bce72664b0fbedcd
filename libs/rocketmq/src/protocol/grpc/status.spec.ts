import { describe, expect, it } from '@jest/globals';
import { Code } from './generated/apache/rocketmq/v2/definition.js';
import { requireOk, STATUS_MEANINGS, StatusError } from './status.js';

describe('the status table', () => {
  it('has a meaning for every code of the protocol', () => {
    const codes = Object.values(Code).filter((code) => typeof code === 'number' && code !== Code.UNRECOGNIZED);
    expect(codes.length).toBeGreaterThan(50);
    expect(codes.filter((code) => !STATUS_MEANINGS.has(code as Code))).toEqual([]);
  });

  it('says that the message may be stored when the server timed out', () => {
    const error = new StatusError('send to "orders"', { code: Code.PROXY_TIMEOUT, message: 'slow broker' });
    expect(error).toMatchObject({ code: 'PROXY_TIMEOUT', outcome: 'unknown', retryable: true });
    expect(error.message).toContain('may have taken effect');
  });

  it('says that the message is stored when the disk is slow', () => {
    const error = new StatusError('send to "orders"', { code: Code.MASTER_PERSISTENCE_TIMEOUT, message: 'slow disk' });
    expect(error).toMatchObject({ code: 'MASTER_PERSISTENCE_TIMEOUT', outcome: 'stored', retryable: false });
    expect(error.message).not.toContain('take effect');
  });

  it('treats a missing status as an error', () => {
    expect(() => requireOk('send', undefined)).toThrow(StatusError);
    expect(() => requireOk('send', { code: Code.OK, message: '' })).not.toThrow();
  });

  it('names an unknown code of a newer server by its number, and does not claim that nothing happened', () => {
    const error = new StatusError('send', { code: 49_999 as Code, message: '' });
    expect(error).toMatchObject({ code: 'CODE_49999', outcome: 'unknown' });
  });
});
