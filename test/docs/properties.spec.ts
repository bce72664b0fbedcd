// Every property that the library puts on messages, and every name that the server keeps for itself, is in the page.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const source = 'libs/rocketmq/src';
const page = readFileSync('docs/reference/properties.md', 'utf8');
/** The server's own names, in files that read them. */
const OF_SERVER = ['RESERVED_PROPERTIES', 'KEPT_PROPERTIES'];

/** The texts of all constants of a name that ends so, each with the name of its constant. */
function constants(ending: RegExp): Map<string, string> {
  const found = new Map<string, string>();
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((name) => /\.ts$/.test(name) && !/\.spec\.ts$|generated/.test(name))) {
    const tree = ts.createSourceFile(file, readFileSync(join(source, file), 'utf8'), ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node): void => {
      if (ts.isVariableDeclaration(node) && ending.test(node.name.getText()) && node.initializer !== undefined) {
        for (const text of textsOf(node.initializer)) found.set(text, node.name.getText());
      }
      ts.forEachChild(node, visit);
    };
    visit(tree);
  }
  return found;
}

/** The texts that an expression consists of; of an object those of its values. */
function textsOf(node: ts.Node): string[] {
  if (ts.isStringLiteral(node)) return [node.text];
  if (ts.isPropertyAssignment(node)) return textsOf(node.initializer);
  const inside: string[] = [];
  ts.forEachChild(node, (child) => void inside.push(...textsOf(child)));
  return inside;
}

describe('docs/reference/properties.md', () => {
  it('has every property that a constant of the library names', () => {
    const ours = [...constants(/_PROPERT(Y|IES)$/)].filter(([, name]) => !OF_SERVER.includes(name));
    expect(ours.length).toBeGreaterThan(12);
    expect(ours.filter(([property]) => !page.includes(`| \`${property}\``))).toEqual([]);
  });

  it('has every name that the server keeps for itself', () => {
    const names = [...constants(/^RESERVED_PROPERTIES$/).keys()].flatMap((text) => text.trim().split(' '));
    const kept = names.filter((name) => name !== '');
    expect(kept.length).toBeGreaterThan(50);
    expect(kept.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
