// Registers the matchers in Jest with globals, declares their types for @types/jest, and binds the hooks.

import { UsageError } from '../../support/errors.js';
import { type RocketMQMatchers, rocketmqMatchers } from '../matchers.js';
import type { TestBroker } from '../test-broker.js';
import { brokerByHooks, type TestHooks, type UseTestBrokerOptions } from '../test-scope.js';

declare global {
  namespace jest {
    interface Matchers<R, T> extends RocketMQMatchers {}
  }
}

/** What a test file has without an import. */
type Globals = TestHooks & { readonly expect: { extend(matchers: object): void } };

function globals(): Globals {
  const found = globalThis as Partial<Globals>;
  if (found.expect !== undefined && found.beforeAll !== undefined) return found as Globals;
  const text = 'nestjs-rocketmq/testing/jest was loaded where Jest has no globals; nothing was registered';
  throw new UsageError(
    'NO_JEST_GLOBALS',
    `${text}. Import it in a test or from setupFilesAfterEnv, or import nestjs-rocketmq/testing/jest-globals with injectGlobals: false`,
  );
}

globals().expect.extend({ ...rocketmqMatchers });

/**
 * A broker for the tests of this file or `describe`, by hooks: it starts before and stops after each test, or all.
 * @returns the running broker; throws a StateError `NO_TEST_BROKER` outside of tests and hooks
 * @throws UsageError `ILLEGAL_OPTION` for another scope
 */
export function useTestBroker(options?: UseTestBrokerOptions): () => TestBroker {
  return brokerByHooks(globals(), options);
}
