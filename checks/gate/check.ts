import { type Check, check } from '../check.js';
import type { Options } from '../options.js';

const OPTIONS = {
  full: { type: 'flag', says: 'all there is, and what goes by chance goes on for long: hours' },
  since: {
    type: 'text',
    value: 'REF',
    says: 'only what the changes since this commit or branch can break, by what they import, read and start',
  },
  plan: { type: 'flag', says: 'prints the commands, and runs none' },
} as const satisfies Options;

/** @param checks what its stages run */
export function gateOver(checks: readonly Check[]) {
  return check({
    name: 'gate',
    says: 'all that a change has to pass, stage by stage; .ci/run installs what it needs, and runs it on a clean checkout',
    judges: [],
    needs: 'network, Java, Maven, Chromium',
    options: OPTIONS,
    run: async (values, tools) => (await import('./main.js')).runGate(values, checks, tools),
  });
}
