// A test broker for each test, or one for several, by the hooks of a test runner.

import { SECOND_MS } from '../support/clock.js';
import { StateError } from '../support/errors.js';
import { assertOptions, oneOf } from '../support/options.js';
import { CLOSE_TIMEOUT_MS, throwAny } from './closables.js';
import { TestBroker, type TestBrokerOptions } from './test-broker.js';

/** An application and two connections that do not end, and the broker. */
const HOOK_TIMEOUT_MS = 3 * CLOSE_TIMEOUT_MS + 10 * SECOND_MS;

/** The options of `useTestBroker()`: those of `TestBroker.start()`, and how long a broker lives. */
export interface UseTestBrokerOptions extends TestBrokerOptions {
  /**
   * `test`: each test has a broker of its own. `file`: the tests of the file share one, or those of the `describe` in which it is called;
   * it is reset after each. Default `test`.
   */
  readonly scope?: 'test' | 'file';
}

/** The hooks of a test runner. */
export interface TestHooks {
  beforeAll(work: () => Promise<void>, timeoutMs: number): unknown;
  beforeEach(work: () => Promise<void>, timeoutMs: number): unknown;
  afterEach(work: () => Promise<void>, timeoutMs: number): unknown;
  afterAll(work: () => Promise<void>, timeoutMs: number): unknown;
}

/** `useTestBroker()` with the hooks of a runner. */
export function brokerByHooks(
  hooks: TestHooks,
  { scope = 'test', ...options }: UseTestBrokerOptions = {},
): () => TestBroker {
  assertOptions({ scope }, { options: { scope: oneOf('test', 'file') } }, 'useTestBroker: ');
  let current: TestBroker | undefined;
  const broker = (): TestBroker => {
    if (current !== undefined) return current;
    const text =
      'useTestBroker: no broker is running; call the function that it returned in a test, in a beforeEach after it, or in an afterEach that runs before its own';
    const hooksOfJest = 'Jest runs afterEach hooks in the order of their definition, and none for test.concurrent';
    throw new StateError('NO_TEST_BROKER', `${text}. ${hooksOfJest}`);
  };
  const start = async (): Promise<void> => {
    current = await TestBroker.start(options);
  };
  const stop = async (): Promise<void> => {
    const ended = current;
    current = undefined;
    await ended?.stop();
  };
  if (scope === 'test') {
    oneByOne(hooks, start, stop);
    return broker;
  }
  let endTest: (() => Promise<void>) | undefined;
  hooks.beforeAll(start, HOOK_TIMEOUT_MS);
  oneByOne(
    hooks,
    async () => {
      endTest = beginTest(broker());
    },
    async () => {
      const end = endTest;
      endTest = undefined;
      await end?.();
    },
  );
  hooks.afterAll(stop, HOOK_TIMEOUT_MS);
  return broker;
}

/** Hooks for one test at a time: another one is rejected, and its end ends nothing. Runners also call `afterEach` for a test whose `beforeEach` failed. */
function oneByOne(hooks: TestHooks, begin: () => Promise<void>, end: () => Promise<void>): void {
  let isRunning = false;
  let rejected = 0;
  hooks.beforeEach(async () => {
    if (isRunning) rejected++;
    assertAlone(isRunning);
    isRunning = true;
    await begin();
  }, HOOK_TIMEOUT_MS);
  hooks.afterEach(async () => {
    if (rejected > 0) {
      rejected--;
      return;
    }
    await end().finally(() => {
      isRunning = false;
    });
  }, HOOK_TIMEOUT_MS);
}

/**
 * Begins a test with a broker that others use after it.
 * @param mayConnect whether clients that connect during the test may stay: those of fixtures that are created at their first use
 * @returns ends the test: closes what it passed to `closeLater()`, and resets the broker; throws for what it left behind
 * @throws StateError `TESTS_CONCURRENT` while another test runs
 */
export function beginTest(broker: TestBroker, mayConnect = false): () => Promise<void> {
  assertAlone(broker.isInTest);
  broker.isInTest = true;
  const kept = broker.closables.count;
  const clients = new Set(broker.connectedClients());
  return async () => {
    broker.endWaits();
    const errors = await broker.closables.close(kept);
    const left = mayConnect ? [] : broker.connectedClients().filter((clientId) => !clients.has(clientId));
    if (left.length > 0) {
      const text = `the test left clients connected to a broker that other tests use: ${left.join(', ')}`;
      const advice = 'they receive messages of the next tests; pass what the test opens to closeLater()';
      errors.push(new StateError('CLIENTS_LEFT', `${text}; ${advice}`));
    }
    await broker.reset().catch((error: unknown) => errors.push(error));
    broker.isInTest = false;
    throwAny(errors);
  };
}

function assertAlone(isRunning: boolean): void {
  if (!isRunning) return;
  const text = 'another test is running, whose broker this one would replace or reset; nothing was changed';
  const advice =
    'Run tests that share a broker one after another; with test.concurrent, use withTestBroker() of Vitest';
  throw new StateError('TESTS_CONCURRENT', `${text}. ${advice}`);
}
