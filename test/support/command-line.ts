// Runs the command line in this process and captures its output.

import { run } from '../../libs/rocketmq/src/cli/main.js';

/** The output and exit code of a call. */
export interface Called {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line as `nestjs-rocketmq` does. */
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

/** Splits a command line; arguments cannot contain blanks. */
export function words(line: string): string[] {
  return line.split(' ').filter((word) => word !== '');
}
