// Commands of this package that errors and checks print, so that a reader can copy them into a shell.

const PLAIN = /^[A-Za-z0-9_./:@%+=,-]+$/;

/** `npx nestjs-rocketmq` with these words. Names from outside may contain characters that a shell interprets: `|` is valid in a topic name. */
export function commandLine(...words: readonly string[]): string {
  return ['npx', 'nestjs-rocketmq', ...words.map(quoted)].join(' ');
}

/** A command on the cluster that an application is connected to. */
export type ClusterCommand = (...words: readonly string[]) => string;

/** Stands in a command for an address that is not known here. */
export const UNKNOWN_NAME_SERVER = 'NAMESERVER:9876';

/** A word for a POSIX shell. */
export function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
