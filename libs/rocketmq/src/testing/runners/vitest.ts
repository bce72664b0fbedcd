// Registers the matchers in Vitest, declares their types, and binds hooks and fixtures.

import { afterAll, afterEach, beforeAll, beforeEach, expect, type TestAPI } from 'vitest';
import { assertOptions, oneOf } from '../../support/options.js';
import { type RocketMQMatchers, rocketmqMatchers } from '../matchers.js';
import { TestBroker, type TestBrokerOptions } from '../test-broker.js';
import { beginTest, brokerByHooks, type UseTestBrokerOptions } from '../test-scope.js';

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: as Vitest declares it
  interface Assertion<T = any> extends RocketMQMatchers {}
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

/** The options of `withTestBroker()`: those of `TestBroker.start()`, and how long a broker lives. */
export interface WithTestBrokerOptions extends TestBrokerOptions {
  /**
   * `test`: each test has a broker of its own, also with `test.concurrent`. `file`, `worker`: the tests of the file or of the worker share
   * one, one after another, and it is reset after each; call it at the top level of the file. Default `test`.
   */
  readonly scope?: 'test' | 'file' | 'worker';
}

/**
 * `test` with the fixture `broker`, for Vitest 3.2 or later. What depends on the fixture, such as an application, is torn down before it.
 * A fixture of a file or worker closes what it opens after `use()`: `broker.closeLater()` closes at the end of each test.
 * @param test `test` of Vitest, or one with fixtures of your own
 * @throws UsageError `ILLEGAL_OPTION` for another scope
 */
export function withTestBroker<Context extends object>(
  test: TestAPI<Context>,
  { scope = 'test', ...options }: WithTestBrokerOptions = {},
): TestAPI<Context & { broker: TestBroker }> {
  assertOptions({ scope }, { options: { scope: oneOf('test', 'file', 'worker') } }, 'withTestBroker: ');
  // Vitest reads the names of other fixtures from the source of these functions.
  // biome-ignore lint/correctness/noEmptyPattern: the parameter must be a pattern
  const live = async ({}: object, use: (broker: TestBroker) => Promise<void>): Promise<void> => {
    const broker = await TestBroker.start(options);
    try {
      await use(broker);
    } finally {
      await broker.stop();
    }
  };
  const extended = test.extend<{ broker: TestBroker }>({ broker: [live, { scope }] } as never);
  if (scope === 'test') return extended as never;
  const reset = async ({ broker }: { broker: TestBroker }, use: () => Promise<void>): Promise<void> => {
    const endTest = beginTest(broker, true);
    await use();
    await endTest();
  };
  return extended.extend({ brokerReset: [reset, { auto: true }] } as never) as never;
}
