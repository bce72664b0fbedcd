// Declares cases of the contract: a title, and a body that gets its own world.

import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { testTransport } from '../../fixtures/transport.js';
import { type Backend, backendName, NotHere, seemsBefore, startBackend } from './backend.js';
import type { KnownDifference } from './known-difference.js';
import { KNOWN_DIFFERENCES } from './known-differences.js';
import { World } from './world.js';

/** A case on the real server may have to wait for its timers. */
const CASE_TIMEOUT_MS = 180_000;

/** Declares a case. */
export interface Contract {
  (title: string, body: (world: World) => Promise<void>): void;
  /**
   * Declares a case with one request. A backend that is listed with a different `answer` must return exactly that.
   * @param expected the expected answer, for instance the name of a code
   * @param words the prefixes of the message of the last answer and of its entries, checked if the backend returns the expected answer
   */
  answers(title: string, expected: string, ask: (world: World) => Promise<string>, words?: readonly string[]): void;
}

/**
 * One server for the cases of this file; call it at the top of a spec file.
 * @param start default: the backend of this run
 */
export function contractSuite(start: () => Promise<Backend> = startBackend): Contract {
  let backend: Backend;
  let world: World | undefined;

  beforeAll(async () => {
    backend = await start();
  }, CASE_TIMEOUT_MS);
  afterEach(async () => {
    await world?.close();
    world = undefined;
  }, CASE_TIMEOUT_MS);
  afterAll(() => backend?.stop());

  const inWorld = (title: string, run: (world: World) => Promise<void>): void => {
    it(
      title,
      async () => {
        world = new World(backend, title);
        await run(world);
      },
      CASE_TIMEOUT_MS,
    );
  };
  const contract = (title: string, body: (world: World) => Promise<void>): void =>
    inWorld(title, (own) => {
      const difference = differenceFor(title);
      return difference === undefined ? body(own) : expectFailure(difference, () => body(own));
    });
  const answers: Contract['answers'] = (title, expected, ask, words = []) =>
    inWorld(title, async (own) => {
      const difference = differenceFor(title);
      if (difference?.answer === expected) throw stale(difference);
      expect(await ask(own)).toBe(difference?.answer ?? expected);
      if (difference !== undefined) return;
      const beginnings = words.map((text, index) => wordsOf(own.heard[index]).slice(0, text.length));
      expect(beginnings).toEqual(words);
    });
  return Object.assign(contract, { answers });
}

/** Removes the name of the exception that the real server prepends to some messages. */
function wordsOf(text = ''): string {
  return text.replace('org.apache.rocketmq.proxy.common.ProxyException: ', '');
}

/**
 * The embedded broker that states a release of 4.x has the differences of such releases by chance: what our clients do by the release is as
 * on a real server, and what the broker does is not.
 */
function differenceFor(title: string): KnownDifference | undefined {
  const isLike4x = backendName === 'embedded' && testTransport === 'remoting' && seemsBefore('5.0.0');
  const difference = KNOWN_DIFFERENCES.find(
    (one) =>
      one.title === title &&
      (one.backend === backendName || (isLike4x && isOfReleases(one))) &&
      (one.transports === undefined || one.transports.includes(testTransport)) &&
      (one.versions === undefined || one.versions.some((version) => version === process.env.ROCKETMQ_TEST_VERSION)) &&
      (one.before === undefined || seemsBefore(one.before)) &&
      (one.since === undefined || !seemsBefore(one.since)),
  );
  return difference && (difference.backend === backendName ? difference : { ...difference, isByChance: true });
}

function isOfReleases({ versions, before, since }: KnownDifference): boolean {
  return versions !== undefined || before !== undefined || since !== undefined;
}

async function expectFailure(difference: KnownDifference, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (error instanceof NotHere) throw error;
    return;
  }
  if (difference.isByChance !== true) throw stale(difference);
}

function stale({ title, reason }: KnownDifference): Error {
  return new Error(`"${title}" is listed as a known difference (${reason}) but holds; take it off the list`);
}
