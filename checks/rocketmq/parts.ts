// What `npm run check rocketmq` runs, which the gate divides.

/** The parts and their folders. The order is that of the runs. */
export const PART_FOLDERS = {
  open: ['test/contract', 'test/real'],
  alone: ['test/alone'],
  secured: ['test/secured'],
  restarts: ['test/restarts'],
} as const satisfies Record<string, readonly string[]>;
export type Part = keyof typeof PART_FOLDERS;

export const PARTS = Object.keys(PART_FOLDERS) as readonly Part[];
