// Reads settings from environment variables. Errors name the variable and its valid values.

import ms from 'ms';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A setting is missing or invalid. */
export class ConfigurationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigurationError';
  }
}

/**
 * A required setting.
 * @param purpose ends the sentence "set it to …"
 * @throws ConfigurationError
 */
export function requiredText(env: Environment, variable: string, purpose: string): string {
  const text = textOf(env, variable);
  if (text === undefined) throw new ConfigurationError(`${variable} is not set; set it to ${purpose}`);
  return text;
}

/** @throws ConfigurationError */
export function portOf(env: Environment, variable: string, otherwise: number): number {
  const text = textOf(env, variable);
  if (text === undefined) return otherwise;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new ConfigurationError(`${variable} must be a port from 0 to 65535, not "${text}"`);
}

/**
 * Parses a duration with its unit, for instance `30s` or `30m`, to milliseconds.
 * @throws ConfigurationError also if it is not positive or exceeds `maxMs`
 */
export function durationOf(
  env: Environment,
  variable: string,
  { otherwiseMs, maxMs }: { readonly otherwiseMs: number; readonly maxMs: number },
): number {
  const text = textOf(env, variable);
  if (text === undefined) return otherwiseMs;
  // `ms` reads a number without a unit as milliseconds, most people as seconds, so the unit is required.
  const durationMs = /^\d+$/.test(text) ? undefined : (ms(text as ms.StringValue) as number | undefined);
  if (durationMs !== undefined && durationMs > 0 && durationMs <= maxMs) return durationMs;
  throw new ConfigurationError(
    `${variable} must be a duration with its unit, such as 30s or 30m, up to ${ms(maxMs)}, not "${text}"`,
  );
}

/** The trimmed value; undefined if it is empty. */
export function textOf(env: Environment, variable: string): string | undefined {
  const text = env[variable]?.trim();
  return text === '' ? undefined : text;
}
