// Judges both sides of the library's HTTP/2 by implementations of others: the embedded broker by h2spec, the client by servers.

import { build } from '../../scripts/build/build.js';
import type { Counts, Tools } from '../check.js';
import { runH2spec } from './h2spec.js';
import { judgePeer } from './judge-peer.js';
import { type Maker, peersOf } from './peers.js';

/** @param values `only`: what judges */
export async function runHttp2(
  { only }: { readonly only: readonly ('h2spec' | Maker)[] },
  tools: Tools,
): Promise<Counts> {
  await build({ names: ['nestjs-rocketmq'] });
  const makers = only.filter((part): part is Maker => part !== 'h2spec');
  // h2spec spends its time with waiting.
  const verdicts = await Promise.all([only.includes('h2spec') ? runH2spec(tools) : NONE, judgePeers(makers, tools)]);
  return verdicts.reduce(sum, NONE);
}

/** One after the other: the load is for all of a processor. */
async function judgePeers(makers: readonly Maker[], tools: Tools): Promise<Counts> {
  let counts = NONE;
  for (const maker of makers) {
    for (const peer of await peersOf(maker, tools)) counts = sum(counts, await judgePeer(peer, tools));
  }
  return counts;
}

const NONE: Counts = { passed: 0, failed: 0 };

function sum(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed };
}
