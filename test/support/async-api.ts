// AsyncAPI documents as the official parser sees them.

import { Parser } from '@asyncapi/parser';

/** What the official parser has against a document, without its advice on style. */
export async function problemsOf(document: unknown): Promise<string[]> {
  const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(document));
  const problems = diagnostics
    .filter(({ severity }) => severity === 0)
    .map(({ code, path, message }) => `${code} ${path.join('/')}: ${message}`);
  return parsed === undefined && problems.length === 0 ? ['not parsed'] : problems;
}
