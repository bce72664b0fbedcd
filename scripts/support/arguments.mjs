// Command lines of the runners: `--name value` or `--name=value`, everything else handed on.

/**
 * @template {Record<string, string>} T
 * @param {readonly string[]} args
 * @param {T} defaults the options there are, with what they are when not given
 * @returns {{ options: T, rest: string[] }} `rest` in its order, without a separating `--`
 */
export function parseRunnerArguments(args, defaults) {
  const options = { ...defaults };
  const rest = [];
  for (let index = 0; index < args.length; index++) {
    const [, name, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(args[index]) ?? [];
    if (name === undefined || !Object.hasOwn(defaults, name)) {
      if (args[index] !== '--') rest.push(args[index]);
      continue;
    }
    const value = inline ?? args[++index];
    if (value === undefined || value === '') throw new Error(`--${name} needs a value`);
    options[name] = value;
  }
  return { options, rest };
}
