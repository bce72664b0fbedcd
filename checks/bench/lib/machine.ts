// What a run ran on.

import { execFileSync } from 'node:child_process';
import { arch, availableParallelism, cpus, release, totalmem, type } from 'node:os';

export function machine(): {
  cpu: string;
  cores: number;
  memoryGiB: number;
  system: string;
  node: string;
  java: string;
} {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${type()} ${release()} ${arch()}`,
    node: process.versions.node,
    java: javaVersion(),
  };
}

function javaVersion(): string {
  try {
    // `--version` prints to standard output, `-version` does not.
    return execFileSync('java', ['--version'], { encoding: 'utf8' }).split('\n')[0]?.trim() ?? 'unknown';
  } catch {
    return 'no Java';
  }
}
