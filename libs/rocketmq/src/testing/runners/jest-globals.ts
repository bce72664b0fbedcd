// Registers the matchers in Jest, declares their types for `expect` of @jest/globals, and binds the hooks.

import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { type RocketMQMatchers, rocketmqMatchers } from '../matchers.js';
import type { TestBroker } from '../test-broker.js';
import { brokerByHooks, type UseTestBrokerOptions } from '../test-scope.js';

declare module '@jest/expect' {
  interface Matchers<R extends void | Promise<void>, T = unknown> extends RocketMQMatchers {}
}

expect.extend({ ...rocketmqMatchers });

/**
 * A broker for the tests of this file or `describe`, by hooks: it starts before and stops after each test, or all.
 * @returns the running broker; throws a StateError `NO_TEST_BROKER` outside of tests and hooks
 * @throws UsageError `ILLEGAL_OPTION` for another scope
 */
export function useTestBroker(options?: UseTestBrokerOptions): () => TestBroker {
  return brokerByHooks({ beforeAll, beforeEach, afterEach, afterAll }, options);
}
