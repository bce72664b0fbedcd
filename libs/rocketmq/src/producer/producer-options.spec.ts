import { afterAll, describe, expect, it } from '@jest/globals';
import { Connection } from '../client/connection.js';
import { Producer } from './producer.js';
import type { ProducerOptions } from './producer-options.js';

describe('the options of a producer', () => {
  const connection = new Connection({ endpoints: '127.0.0.1:9' });
  afterAll(() => connection.close());

  it.each<[string, unknown, string]>([
    ['maxAttempts', 2 ** 40, 'must be an integer from 1 to 2147483647, not 1099511627776'],
    ['maxAttempts', null, 'must be an integer from 1 to 2147483647, not null'],
    ['maxInFlight', null, 'must be an integer of at least 1, not null'],
    ['maxInFlightBytes', null, 'must be an integer of at least 1, not null'],
    ['maxInFlightBytes', '5', 'must be an integer of at least 1, not the string "5"'],
    ['maxDelayMs', null, 'must be a number above 0, not null'],
    ['delayLevels', 'longer', 'must be exact or round-up or chain, not "longer"'],
    ['delayLevels', null, 'must be an object, not null'],
    ['whenFull', 5n, 'must be wait or reject, not 5n'],
    ['batching', 5n, 'must be auto or off, not 5n'],
    ['serverVersion', 5n, 'must be a version such as "5.4.0", not 5n'],
    ['serverVersion', 'V5_4_0', 'must be a version such as "5.4.0", not "V5_4_0"'],
    ['brokerVersions', '5.3.0', 'must be a function, not "5.3.0"'],
    ['brokerVersions', [], 'must be a function, not an array'],
    ['compression', true, 'must be an object, not true'],
    ['compression', 'gzip', 'must be an object, not "gzip"'],
    ['compression', null, 'must be an object, not null'],
    ['interceptors', {}, 'must be a list of functions, not an object'],
    ['interceptors', () => {}, 'must be a list of functions, not a function'],
    ['interceptors', null, 'must be a list of functions, not null'],
    ['interceptors', '', 'must be a list of functions, not ""'],
    ['interceptors', ['x'], 'must be a list of functions, but element 0 is "x"'],
    ['transactionCheckers', [], 'must be an object, not an array'],
    ['events', { onEnded: 5 }, 'is invalid: onEnded must be a function, not 5'],
    ['telemetry', {}, 'must be the result of openTelemetry()'],
    ['maxAttempt', 3, 'is unknown; the options are'],
  ])('are rejected by name: %s: %p', (field, value, problem) => {
    const rejection = (): Producer => new Producer(connection, { [field]: value });
    expect(rejection).toThrow(`[ILLEGAL_OPTION] option ${field} ${problem}`);
    expect(rejection).toThrow(expect.objectContaining({ code: 'ILLEGAL_OPTION', field }));
  });

  it.each<[string, object, string]>([
    ['compression.thresholdBytes', { thresholdBytes: '5' }, 'must be an integer of at least 1, not the string "5"'],
    ['compression.level', { level: 10 }, 'must be an integer from 1 to 9, not 10'],
    ['compression.treshold', { treshold: 5 }, 'is unknown; the options are thresholdBytes, level'],
  ])('are rejected by the path of the field: %s', (field, compression, problem) => {
    expect(() => new Producer(connection, { compression })).toThrow(`option ${field} ${problem}`);
  });

  it.each<[string, object, string]>([
    ['consumerGroup', { topic: 'delays' }, 'is missing'],
    ['topic', { topic: 'de lays', consumerGroup: 'delays' }, ''],
    ['group', { topic: 'delays', group: 'delays' }, 'is unknown; the options are topic, consumerGroup'],
  ])('are rejected for the relay of delayed messages: %s', (field, delayLevels, problem) => {
    const options = { delayLevels } as ProducerOptions;
    expect(() => new Producer(connection, options)).toThrow(`option delayLevels.${field} ${problem}`);
  });

  it('are rejected when a transaction would be checked too early', () => {
    const times = { localTransactionTimeoutMs: 60_000, firstCheckAfterMs: 60_000 };
    expect(() => new Producer(connection, times)).toThrow('option firstCheckAfterMs must be 70000');
  });

  it('may be undefined', () => {
    const nothing = { maxAttempts: undefined, compression: undefined, interceptors: undefined, topics: undefined };
    expect(() => new Producer(connection, nothing as object)).not.toThrow();
  });
});
