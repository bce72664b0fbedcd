import { DEFAULT_VERSION } from '../../libs/rocketmq/src/cli/server/jars.js';
import { check } from '../check.js';
import type { Options } from '../options.js';
import { PARTS } from './parts.js';

const OPTIONS = {
  version: {
    type: 'text',
    value: 'VERSION',
    default: DEFAULT_VERSION,
    says: 'of the server: 5.3.3, 5.4.0, 5.5.0; by remoting also older ones (5.1.4, 5.0.0, 4.9.7 and 4.5.2 are tested), and rust-1.0.0 for the part open',
  },
  part: { type: 'choice', among: PARTS, says: 'only this part' },
  transport: {
    type: 'choice',
    among: ['http2', 'grpc-js', 'remoting'],
    says: 'what carries the calls of our clients; remoting needs no proxy',
  },
} as const satisfies Options;

export const ROCKETMQ_CHECK = check({
  name: 'rocketmq',
  says: 'the suites of test/ that need a real server, part by part',
  judges: ['libs/rocketmq', 'test'],
  needs: 'Java',
  options: OPTIONS,
  rest: 'test/contract/sending ... and other arguments of jest',
  run: async (values, tools) => (await import('./main.js')).runSuites(values, tools),
});
