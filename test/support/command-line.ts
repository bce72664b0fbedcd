// Runs the command line within this process, and keeps what it printed.

import { run } from '../../libs/rocketmq/src/cli/main.js';

/** What a call printed, and how it ended. */
export interface Called {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Calls the command line as `nestjs-rocketmq` does. */
export async function call(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Called> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    env,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

/** A line of arguments without blanks in them. */
export function words(line: string): string[] {
  return line.split(' ').filter((word) => word !== '');
}
