// What `npm run check dockerfile` reads: a Dockerfile's instructions, and what .dockerignore leaves out.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { ignoredBy } from './docker-context.js';
import { parseDockerfile } from './dockerfile.js';

const FROM = 'FROM node:22.20.0-bookworm-slim';

describe('parseDockerfile', () => {
  it('reads stages, continued lines and comments between them', () => {
    const text = `# what it is\n${FROM} AS build\nRUN npm ci \\\n# why\n  --ignore-scripts\n\n${FROM}\nCOPY --from=build /app ./\nCMD ["node", "main.js"]\n`;
    expect(parseDockerfile(text)).toEqual([
      {
        name: 'build',
        image: 'node:22.20.0-bookworm-slim',
        instructions: [{ kind: 'run', command: 'npm ci  --ignore-scripts' }],
      },
      {
        name: undefined,
        image: 'node:22.20.0-bookworm-slim',
        instructions: [
          { kind: 'copy', from: 'build', sources: ['/app'], target: './' },
          { kind: 'cmd', args: ['node', 'main.js'] },
        ],
      },
    ]);
  });

  it.each([
    ['ADD a b', 'cannot replay ADD'],
    ['ARG version', 'cannot replay ARG'],
    ['ENTRYPOINT ["node"]', 'cannot replay ENTRYPOINT'],
    ['RUN --mount=type=cache,target=/root npm ci', 'cannot replay RUN'],
    ['RUN rm -rf /app/src', 'cannot replay RUN'],
    ['RUN ["npm", "ci"]', 'cannot replay RUN'],
    ['COPY --chown=node a b', 'cannot replay COPY'],
    ['COPY *.json ./', 'cannot replay COPY'],
    ['COPY --from=other a b', 'there is no stage other'],
    ['COPY a', 'COPY needs a source and a target'],
    ['ENV HOME=$HOME', 'cannot replay ENV'],
    ['WORKDIR app', 'WORKDIR must be absolute'],
    ['CMD node main.js', 'CMD must be a list'],
    ['FROM node:latest', 'an image without a version'],
    ['FROM node', 'an image without a version'],
    ['RUN npm ci \\', 'it ends inside of an instruction'],
  ])('rejects %s with its line', (line, problem) => {
    expect(() => parseDockerfile(`${FROM}\n\n${line}\n`)).toThrow(/^Dockerfile, line 3: /);
    expect(() => parseDockerfile(`${FROM}\n\n${line}\n`)).toThrow(problem);
  });
});

describe('ignoredBy', () => {
  it('takes the last pattern that fits a path or a folder above it, as Docker does', () => {
    const isIgnored = ignoredBy('*\n!libs\n!package.json\n**/dist\n# a comment\n');
    const paths = ['libs/a/src/b.ts', 'package.json', 'libs/a/dist/b.js', 'test/a.ts', 'libs/package.json', 'dist'];
    expect(paths.filter(isIgnored)).toEqual(['libs/a/dist/b.js', 'test/a.ts', 'dist']);
  });

  it('keeps secrets, data and tests of this repository out of an image', () => {
    const isIgnored = ignoredBy(readFileSync('.dockerignore', 'utf8'));
    const out = [
      '.env',
      '.git/config',
      'data/broker',
      'apps/order-demo/data/x',
      'test/a.ts',
      'libs/demo-kit/src/a.spec.ts',
    ];
    expect(out.filter((path) => !isIgnored(path))).toEqual([]);
    expect(isIgnored('apps/order-demo/migrations/postgresql/0001_orders.sql')).toBe(false);
  });
});
