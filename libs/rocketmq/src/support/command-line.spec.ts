import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { commandLine } from './command-line.js';

const asShellReads = (line: string): string[] =>
  execFileSync('sh', ['-c', `set -- ${line}; printf '%s\\0' "$@"`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);

describe('a printed command', () => {
  it('has no quotes where a shell needs none', () => {
    expect(commandLine('topic', 'create', '%RETRY%orders_1', '--name-server', 'ns-1.example.com:9876')).toBe(
      'npx nestjs-rocketmq topic create %RETRY%orders_1 --name-server ns-1.example.com:9876',
    );
  });

  it('is read by a shell as the words that it consists of', () => {
    const strange = [
      'a|reboot',
      'a b',
      "it's",
      '$(id)',
      '`id`',
      'a;b',
      '*',
      '~',
      '!',
      '#',
      '"',
      '\\',
      'a\nb',
      '',
      '[::1]:1',
    ];
    expect(asShellReads(commandLine(...strange))).toEqual(['npx', 'nestjs-rocketmq', ...strange]);
  });
});
