// Counts the bytes of decompressed bodies that each process holds.

import { MINUTE_MS } from 'nestjs-rocketmq';
import type { Simulation } from './platform/simulation.js';
import { PACKED_FROM_BYTES } from './worker.js';

/** A decompressed body whose lease was lost before it was handled is dropped after this time. */
const MAX_HELD_MS = MINUTE_MS;

/** Counted for the process that is running at that moment. */
export class UnpackedBodies {
  /** Decompressed and still held. */
  private readonly held = new Map<string, { bytes: number; atMs: number }[]>();
  peakBytes = 0;

  constructor(private readonly simulation: Simulation) {}

  readonly add = (bytes: number): void => {
    const { nowMs } = this.simulation;
    const held = (this.held.get(this.process) ?? []).filter(({ atMs }) => nowMs - atMs < MAX_HELD_MS);
    held.push({ bytes, atMs: nowMs });
    this.held.set(this.process, held);
    const heldBytes = held.reduce((sum, one) => sum + one.bytes, 0);
    this.peakBytes = Math.max(this.peakBytes, heldBytes);
  };

  /** A body was released, whether it was compressed or not. */
  release(bytes: number): void {
    if (bytes >= PACKED_FROM_BYTES) this.held.get(this.process)?.shift();
  }

  private get process(): string {
    return this.simulation.current?.name ?? '';
  }
}
