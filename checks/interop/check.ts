// The official clients on the embedded broker and on a real server.

import { check } from '../check.js';
import type { Options } from '../options.js';
import { STEPS } from './resources.js';

const OPTIONS = {
  client: {
    type: 'list',
    among: [
      ...['java', 'node', 'tools', 'mixed', 'java-4', 'java-5', 'python', 'go', 'go-2'],
      ...['test-java', 'test-spring', 'test-go'],
    ],
    default: ['java', 'node', 'tools', 'mixed', 'java-4', 'java-5', 'test-java', 'test-spring'],
    says: 'these; java-4, java-5 and go-2 speak the remoting protocol, tools are the official admin tools, mixed is clients of all kinds in one group, and test-* are the tests of the guide, on the embedded broker only',
  },
  backend: {
    type: 'choice',
    among: ['both', 'embedded', 'real'],
    default: 'both',
    says: 'both compares them, one alone is only run',
  },
  steps: { type: 'list', among: STEPS, says: 'only these (default: all)' },
  mutate: {
    type: 'choice',
    among: ['attempt', 'tag', 'order'],
    says: "spoils the embedded broker's deliveries, which shows how such a run fails",
  },
  recorded: {
    type: 'flag',
    says: 'compares with what the real server showed when it was recorded; mixed runs on the real server all the same',
  },
  record: { type: 'flag', says: 'records what the real server shows, if all is sound' },
  keep: { type: 'text', value: 'FOLDER', says: 'writes the transcripts there' },
} as const satisfies Options;

export const INTEROP_CHECK = check({
  name: 'interop',
  says: 'programs of the official clients see the same on the embedded broker and on a real server',
  judges: ['libs/rocketmq'],
  needs: 'Java, Maven; Python or Go for their clients',
  options: OPTIONS,
  run: async (values, tools) => (await import('./main.js')).runInterop(values, tools),
});
