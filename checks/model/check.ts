import { check } from '../check.js';
import { type Options, SEED } from '../options.js';

const OPTIONS = {
  transport: {
    type: 'choice',
    among: ['http2', 'remoting'],
    says: 'by a proxy, or by name server (default: both, one after the other)',
  },
  seconds: {
    type: 'integer',
    max: 86_400,
    says: 'how long processes are killed and stopped, for each transport (default: 60)',
  },
  long: { type: 'flag', says: 'five minutes' },
  seed: { ...SEED, says: 'repeats what is done to which process (default: a new one)' },
} as const satisfies Options;

export const MODEL_CHECK = check({
  name: 'model',
  says: 'a real cluster of two brokers under kills and stops of all its processes: nothing is lost, order is kept, each repetition has a reason',
  judges: ['libs/rocketmq'],
  needs: 'Java',
  options: OPTIONS,
  keepsFolder: true,
  run: async (values, tools) => (await import('./main.js')).runModel(values, tools),
});
