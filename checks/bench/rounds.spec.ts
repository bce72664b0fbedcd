import { describe, expect, it } from '@jest/globals';
import { runRounds } from './lib/rounds.js';
import { SECTIONS } from './sections.js';

describe('the rounds of a benchmark', () => {
  it('pause the real server while another is measured, also when that fails', async () => {
    const events: string[] = [];
    const server = {
      endpoints: '127.0.0.1:8081',
      pids: [],
      usage: () => ({ cpuMicros: 0, residentBytes: 0 }),
      createTopic: async () => {},
      createGroup: async () => {},
      fill: async () => {},
      release: async () => {},
    };
    const source = (name: string) => ({ name, take: async () => server, stop: async () => {} });
    const real = { ...source('real'), pause: () => events.push('pause'), resume: () => events.push('resume') };
    await runRounds(
      {
        sections: SECTIONS.filter(({ id }) => id === 'embedded-send'),
        rounds: 1,
        columnsOf: () => ['on-real', 'on-memory', 'on-async'],
      },
      {
        servers: { real, memory: source('memory'), async: source('async') },
        runClient: async ({ id }) => {
          events.push(id);
          if (id === 'on-async') throw new Error('it failed');
          return {};
        },
        log: () => {},
        onRun: () => {},
        signal: new AbortController().signal,
      },
    );
    expect(events).toEqual(['on-real', 'pause', 'on-memory', 'resume', 'pause', 'on-async', 'resume']);
  });
});
