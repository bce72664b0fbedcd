// Control characters in answers of a server are escaped, so that they cannot affect the terminal.

import { afterEach, describe, expect, it } from '@jest/globals';
import { call, words } from '../../../../test/fixtures/command-line.js';
import { type ScriptedServer, startScriptedServer } from '../../../../test/fixtures/scripted-remoting-server.js';

/** Clears the screen, sets the window title, and colors the following text, in both encodings of an escape. */
const HOSTILE = 'gone\u001b[2J \u001b]0;owned\u0007 \u009b31mred\r\u007f';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

let server: ScriptedServer;
afterEach(() => server.close());

describe('a command', () => {
  it.each(['topic list', 'topic list --json', 'lag billing', 'group list'])(
    '%s escapes the control characters of a remark',
    async (line) => {
      server = await startScriptedServer(() => ({ code: 1, remark: HOSTILE }));
      const { out, err } = await call([...words(line), '--name-server', server.address]);
      expect(out + err).toContain('owned');
      expect(out + err).not.toMatch(CONTROLS);
      if (line.includes('--json')) expect(JSON.parse(err).error.message).toContain(HOSTILE);
    },
  );

  it('escapes those of names in a list', async () => {
    const answer = JSON.stringify({ topicList: [`orders${HOSTILE}`, 'plain'] });
    server = await startScriptedServer(() => ({ code: 0, body: answer }));
    for (const json of ['', '--json']) {
      const { out } = await call([...words(`topic list ${json}`), '--name-server', server.address]);
      expect(out).not.toMatch(CONTROLS);
    }
  });
});
