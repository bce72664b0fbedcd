// Runs the command line in this process and captures its output.

import { run } from '../../libs/rocketmq/src/cli/main.js';

/** The output and exit code of a call. */
export interface Called {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs the command line as `nestjs-rocketmq` does.
 * @param isEnough whether the reader has seen enough of the output, and closes it
 */
export async function call(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  isEnough: (out: string) => boolean = () => false,
): Promise<Called> {
  let [out, err] = ['', ''];
  const closed = new AbortController();
  const code = await run(args, {
    env,
    version: '1.2.3',
    closed: closed.signal,
    importModule: (specifier) => import(specifier),
    flushed: async () => {},
    out: (text) => {
      out += text;
      if (isEnough(out)) closed.abort(new Error('the reader has closed the output'));
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
