import { check } from '../check.js';
import { type Options, SEED } from '../options.js';

const OPTIONS = {
  seconds: { type: 'integer', max: 86_400, says: 'how long, in real time (default: 120)' },
  seeds: { type: 'integer', says: 'ends after so many seeds' },
  long: { type: 'flag', says: 'an hour' },
  seed: { ...SEED, says: 'the first seed (default: a new one); without --seconds or --seeds the only one' },
  plan: { type: 'text', value: 'JSON', says: 'runs one plan, as a failing run prints it' },
  trace: { type: 'flag', says: 'prints the whole history of each run' },
  brief: { type: 'flag', says: 'does not look for the shortest history of a seed that fails' },
  'keep-going': { type: 'flag', says: 'does not end at the first seed that fails' },
  branches: { type: 'flag', says: "says how much of the clients' code was reached; slower" },
} as const satisfies Options;

const MUTATION_OPTIONS = {
  seconds: { type: 'integer', default: 120, says: 'how long each fault is looked for' },
  only: { type: 'text', value: 'TEXT', says: 'only faults that have this in their description' },
  seed: { ...SEED, default: 1, says: 'the first seed' },
} as const satisfies Options;

export const SIMULATION_CHECKS = [
  check({
    name: 'simulation',
    says: 'clients, broker and network in one process on virtual time, by seed: nothing is lost, order is kept, every wait ends',
    judges: ['libs/rocketmq', 'checks/simulation'],
    options: OPTIONS,
    run: async (values, tools) => (await import('./main.js')).simulate(values, tools),
  }),
  check({
    name: 'mutations',
    says: 'known faults put back into a copy of the library, one at a time: the simulation must find each',
    judges: ['libs/rocketmq', 'checks/simulation'],
    options: MUTATION_OPTIONS,
    run: async (values, tools) => (await import('./mutate.js')).findMutations(values, tools),
  }),
];
