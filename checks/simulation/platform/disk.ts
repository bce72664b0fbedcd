// The simulated disk of a broker: what is not committed is lost with the process.

import { KeyTree } from '../../../libs/rocketmq/src/broker/store/key-tree.js';
import type { OpenFile, StoreFile } from '../../../libs/rocketmq/src/broker/store/lmdb-store.js';
import type { Simulation } from './simulation.js';

type Entries = Parameters<StoreFile['commit']>[0];

/** One folder, which several processes can open. */
export class SimulatedDisk {
  private readonly tree = new KeyTree<unknown>();
  /** The duration of a commit. */
  slowMs = 1;

  constructor(private readonly simulation: Simulation) {}

  readonly open = (): Promise<OpenFile> => {
    const file: StoreFile = {
      get: (key) => this.tree.get(key),
      scan: (prefix, { from, before }) => this.tree.scan(prefix, from, before),
      commit: (entries) => this.commit(entries),
      usedBytes: () => 0,
      close: () => Promise.resolve(),
    };
    return Promise.resolve({ file, folder: { release: () => Promise.resolve() } });
  };

  private commit(entries: Entries): Promise<void> {
    const { simulation } = this;
    const process = simulation.current;
    // The current values, because they may be overwritten in memory meanwhile.
    const written = entries.map(({ key, value }) => [key, value] as const);
    return new Promise((resolve) => {
      const apply = (): void => {
        for (const [key, value] of written) {
          if (value === undefined) this.tree.delete(key);
          else this.tree.set(key, value);
        }
      };
      if (process === undefined || process.isDead) return;
      // A process that is killed meanwhile does not learn whether the commit succeeded.
      const died = (): void => {
        if (simulation.networkChance.is(0.5)) apply();
      };
      process.onDeath.add(died);
      const takesMs = this.slowMs * simulation.networkChance.between(0.3, 1.5);
      simulation.at(simulation.nowMs + takesMs, process, () => {
        process.onDeath.delete(died);
        apply();
        resolve();
      });
    });
  }
}
