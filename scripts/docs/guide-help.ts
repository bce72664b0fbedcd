// The help of the command line as its guide shows it: the options that all commands share are in a table of the guide.

/** The blocks of the guide that hold help: their opening, the words of the command, the text. */
export const HELP_BLOCKS = /(<!-- help:(.*?) -->\n```text\n)([\s\S]*?)```/g;

const COMMON = /^ {2}--(?:name-server|cluster|tls(?:-[a-z-]+)?|credentials|timeout|json)(?![\w-])/;
const CONTINUATION = /^ {6,}/;

/** @param help as the command prints it */
export function helpInGuide(help: string): string {
  let isCommon = false;
  const lines = help.split('\n').filter((line) => {
    isCommon = COMMON.test(line) || (isCommon && CONTINUATION.test(line));
    return !isCommon;
  });
  return lines.join('\n');
}
