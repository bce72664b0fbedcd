// How a case of the contract is declared: a title, and a body that gets a world of its own.

import { afterAll, afterEach, beforeAll, it } from '@jest/globals';
import { type Backend, backendName, startBackend } from './backend.js';
import { KNOWN_DIFFERENCES, type KnownDifference } from './known-differences.js';
import { World } from './world.js';

/** A case on the real server may have to wait for its timers. */
const CASE_TIMEOUT_MS = 120_000;

/** Declares a case. */
export type Contract = (title: string, body: (world: World) => Promise<void>) => void;

/** One server for the cases of this file; call it at the top of a spec file. */
export function contractSuite(): Contract {
  let backend: Backend;
  let world: World | undefined;

  beforeAll(async () => {
    backend = await startBackend();
  }, CASE_TIMEOUT_MS);
  afterEach(async () => {
    await world?.close();
    world = undefined;
  }, CASE_TIMEOUT_MS);
  afterAll(() => backend?.stop());

  return (title, body) => {
    it(
      title,
      async () => {
        world = new World(backend, title);
        const difference = differenceFor(title);
        if (difference === undefined) return body(world);
        await expectFailure(difference, () => body(world as World));
      },
      CASE_TIMEOUT_MS,
    );
  };
}

function differenceFor(title: string): KnownDifference | undefined {
  const version = process.env.ROCKETMQ_TEST_VERSION;
  return KNOWN_DIFFERENCES.find(
    (difference) =>
      difference.title === title &&
      difference.backend === backendName &&
      (difference.versions === undefined || (version !== undefined && difference.versions.includes(version))),
  );
}

async function expectFailure({ title, reason }: KnownDifference, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch {
    return;
  }
  throw new Error(`"${title}" is listed as a known difference (${reason}) but holds; take it off the list`);
}
