// Statements for clients with placeholders of their own.

import type { DialectName } from '../sql-port.js';

/** A statement, cut where its parameters are, as a template literal is. */
interface Template {
  readonly strings: readonly string[];
  readonly values: readonly unknown[];
}

/** Cuts it at each `$1` of PostgreSQL, or at each `?` of MySQL. A parameter may occur several times. */
export function templateOf(text: string, parameters: readonly unknown[], dialect: DialectName): Template {
  const strings: string[] = [];
  const values: unknown[] = [];
  let from = 0;
  for (const { 0: mark, 1: number = values.length + 1, index } of text.matchAll(
    dialect === 'mysql' ? /\?/g : /\$(\d+)/g,
  )) {
    strings.push(text.slice(from, index));
    values.push(parameters[Number(number) - 1]);
    from = index + mark.length;
  }
  strings.push(text.slice(from));
  return { strings, values };
}

/** Calls a tag, as a template literal would. */
export function tagged<T>(
  tag: (strings: TemplateStringsArray, ...values: never[]) => T,
  { strings, values }: Template,
): T {
  return tag(Object.assign([...strings], { raw: strings }), ...(values as never[]));
}
