// How many bytes of bodies each process holds unpacked.

import { MINUTE_MS } from 'nestjs-rocketmq';
import type { Simulation } from './platform/simulation.js';
import { PACKED_FROM_BYTES } from './worker.js';

/** What was unpacked and never handled, since its lease was lost, is not held for long. */
const LONGEST_HELD_MS = MINUTE_MS;

/** Of the process that runs when it is told. */
export class UnpackedBodies {
  /** Unpacked and not finished with. */
  private readonly held = new Map<string, { bytes: number; atMs: number }[]>();
  mostBytes = 0;

  constructor(private readonly simulation: Simulation) {}

  readonly add = (bytes: number): void => {
    const { nowMs } = this.simulation;
    const held = (this.held.get(this.process) ?? []).filter(({ atMs }) => nowMs - atMs < LONGEST_HELD_MS);
    held.push({ bytes, atMs: nowMs });
    this.held.set(this.process, held);
    const heldBytes = held.reduce((sum, one) => sum + one.bytes, 0);
    this.mostBytes = Math.max(this.mostBytes, heldBytes);
  };

  /** A body is not held any more, whether it had been packed or not. */
  release(bytes: number): void {
    if (bytes >= PACKED_FROM_BYTES) this.held.get(this.process)?.shift();
  }

  private get process(): string {
    return this.simulation.current?.name ?? '';
  }
}
