import { describe, expect, it } from '@jest/globals';
import { Connection } from './connection.js';

describe('the options of a connection', () => {
  it.each<[string, unknown, string]>([
    ['requestTimeoutMs', null, 'must be a number above 0, not null'],
    ['requestTimeoutMs', '5', 'must be a number above 0, not the string "5"'],
    ['credentialsRefreshMs', 0, 'must be a number above 0, not 0'],
    ['transport', 5n, 'must be http2 or grpc-js, not 5n'],
    ['useBootstrapEndpoints', 'false', 'must be true or false, not "false"'],
    ['logger', {}, 'must be a Logger, which has'],
    ['addressMapping', {}, 'must be a function, not an object'],
    ['tls', null, 'must be true, false or an object'],
    ['timeoutMs', 5, 'is unknown; the options are'],
  ])('are rejected by name: %s: %p', (field, value, problem) => {
    const rejection = (): Connection => new Connection({ endpoints: '127.0.0.1:9', [field]: value });
    expect(rejection).toThrow(`[ILLEGAL_OPTION] option ${field} ${problem}`);
  });
});
