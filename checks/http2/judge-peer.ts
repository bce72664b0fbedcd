// One peer: a load through it, then calls and a whole client while its connections have room for a single stream.

import { join } from 'node:path';
import { INITIAL_WINDOW_BYTES, SETTING } from '../../libs/rocketmq/src/http2/frames.js';
import { within } from '../../tools/process/within.js';
import { eventually } from '../../tools/until.js';
import { type Counts, type Tools, verdictOf } from '../check.js';
import { type Load, runLoad } from './load.js';
import { type PeerRun, startPeer } from './peer-run.js';
import type { Limits, Peer } from './peers.js';
import { callOneByOne, type Seen, useWholeClient } from './single-stream.js';
import { violationsOf } from './verdict.js';

const MAX_SHOWN = 10;
const SOCKETS_MS = 5_000;
const PART_MS = 60_000;
const RACES_PER_CALL = 0.1;

/** What one part found wrong, and how much it did. */
interface Finding {
  readonly violations: readonly string[];
  readonly figure: string;
}

/** @returns one verdict */
export async function judgePeer(peer: Peer, tools: Tools): Promise<Counts> {
  const { print, signal } = tools;
  const beganMs = performance.now();
  const { limits } = peer;
  const findings = [await onPeer(peer, limits.streams, tools, ({ endpoints }) => loaded(endpoints, limits, signal))];
  if (limits.leaves !== true)
    findings.push(await onPeer(peer, 1, tools, ({ endpoints }) => onOneStream(endpoints, limits)));
  signal.throwIfAborted();
  const violations = findings.flatMap((finding) => finding.violations);
  for (const violation of violations.slice(0, MAX_SHOWN)) print(`FAILED: ${peer.name}: ${violation}`);
  const seconds = ((performance.now() - beganMs) / 1_000).toFixed(0);
  const figures = findings.map(({ figure }) => figure).join(', ');
  print(`${peer.name}: ${figures} in ${seconds} s: ${violations.length === 0 ? 'sound' : 'NOT SOUND'}`);
  return verdictOf(violations.length === 0);
}

async function loaded(endpoints: string, limits: Limits, signal: AbortSignal): Promise<Finding> {
  const records = await runLoad(endpoints, loadOf(limits), signal);
  const givenUp = records.sent.filter(({ failure }) => failure !== undefined).length;
  return { violations: violationsOf(records), figure: `${records.sent.length} sends (${givenUp} given up)` };
}

async function onOneStream(endpoints: string, limits: Limits): Promise<Finding> {
  const load = singleLoadOf(limits);
  const { violations, seen } = await callOneByOne(endpoints, load);
  const problems = [...withoutRaces(violations, load.calls, limits), ...unlikeLimits(seen, limits)];
  // It takes its time, and what it does is the same beside all of them.
  if (limits.windowBytes === 1) problems.push(...(await useWholeClient(endpoints)));
  return { violations: problems, figure: `${load.calls} calls one by one` };
}

/** What is not the peer's own fault, of which there is little. */
function withoutRaces(violations: readonly string[], calls: number, { countsLate }: Limits): readonly string[] {
  const others = violations.filter((text) => !text.includes('HTTP/2 code PROTOCOL_ERROR'));
  const races = violations.length - others.length;
  return countsLate === true && races <= RACES_PER_CALL * calls ? others : violations;
}

/** Runs a part; afterwards no socket is open, and the peer has ended when it was asked to and not before. */
async function onPeer(
  peer: Peer,
  streams: number,
  { folder, signal }: Tools,
  part: (run: PeerRun) => Promise<Finding>,
): Promise<Finding> {
  const run = await startPeer(peer, streams, join(folder, `${peer.name.replace(/\W+/g, '-')}-${streams}`), signal);
  const violations: string[] = [];
  let figure = 'nothing';
  try {
    const found = await within(part(run), PART_MS, 'the load');
    violations.push(...found.violations);
    figure = found.figure;
    const sockets = await eventually(openSockets, (count) => count === 0, SOCKETS_MS);
    if (sockets > 0) violations.push(`${sockets} sockets are open after the clients were closed`);
    if (run.end() !== undefined) violations.push(`the peer ${run.end()}:\n${run.output()}`);
  } catch (error) {
    signal.throwIfAborted();
    violations.push(error instanceof Error ? error.message : String(error));
  } finally {
    await run.stop();
  }
  return { violations, figure };
}

/** Where the window is 1, each byte is a frame of its own, and one round trip. */
function loadOf({ windowBytes }: Limits): Load {
  if (windowBytes === 1) return { plain: 240, ordered: 96, hasty: 200, maxBodyBytes: 200 };
  if (windowBytes < 10_000) return { plain: 800, ordered: 240, hasty: 600, maxBodyBytes: 20_000 };
  return { plain: 1_200, ordered: 400, hasty: 600, maxBodyBytes: 300 * 1024 };
}

function singleLoadOf({ windowBytes }: Limits): { readonly calls: number; readonly bodyBytes: number } {
  if (windowBytes === 1) return { calls: 120, bodyBytes: 150 };
  return { calls: 200, bodyBytes: windowBytes < 10_000 ? 10_000 : 100_000 };
}

/** A setting that the peer ignores would make the rest prove nothing. */
function unlikeLimits(seen: Seen, { windowBytes, windowGrows, pads }: Limits): string[] {
  const violations: string[] = [];
  const { settings } = seen;
  const window = settings.get(SETTING.initialWindowSize) ?? INITIAL_WINDOW_BYTES;
  if (windowGrows ? window <= windowBytes : window !== windowBytes) violations.push(`its window was ${window} bytes`);
  const streams = settings.get(SETTING.maxConcurrentStreams);
  if (streams !== 1) violations.push(`it allowed ${streams} streams`);
  if (seen.continuations === 0) violations.push('it sent no CONTINUATION');
  if (pads === true && seen.padded === 0) violations.push('it padded nothing');
  return violations;
}

/** Those of this process: of the client alone. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}
