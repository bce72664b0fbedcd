// Command lines of the runners: `--name value` or `--name=value`, everything else handed on.

/**
 * @template {Record<string, string>} T
 * @param {readonly string[]} args
 * @param {T} defaults the options there are, with what they are when not given
 * @returns {{ options: T, rest: string[] }} `rest` in its order, without a separating `--`
 */
export function parseRunnerArguments(args, defaults) {
  /** @type {Record<string, string>} */
  const given = {};
  const rest = [];
  const words = args[Symbol.iterator]();
  for (const word of words) {
    const [, name, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined || !Object.hasOwn(defaults, name)) {
      if (word !== '--') rest.push(word);
      continue;
    }
    const value = inline ?? words.next().value;
    if (value === undefined || value === '') throw new Error(`--${name} needs a value`);
    given[name] = value;
  }
  return { options: { ...defaults, ...given }, rest };
}
