// The page has every property that the library sets on messages, and every name that the server reserves.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const source = 'libs/rocketmq/src';
const page = readFileSync('docs/reference/properties.md', 'utf8');
/** The files with the server's reserved names. */
const OF_SERVER = [
  'RESERVED_PROPERTIES',
  'KEPT_PROPERTIES',
  'LITE_TOPIC_PROPERTY',
  'LITE_QUEUE_PROPERTY',
  'MESSAGE_GROUP_PROPERTY',
  'LITE_QUEUE_OFFSET_PROPERTY',
];

/** The strings of all constants whose name has this suffix, with the name of the constant. */
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

/** The strings in an expression; for an object those of its values. */
function textsOf(node: ts.Node): string[] {
  if (ts.isStringLiteral(node)) return [node.text];
  if (ts.isPropertyAssignment(node)) return textsOf(node.initializer);
  const inside: string[] = [];
  ts.forEachChild(node, (child) => void inside.push(...textsOf(child)));
  return inside;
}

describe('docs/reference/properties.md', () => {
  it('has every property that the library defines as a constant', () => {
    const ours = [...constants(/_PROPERT(Y|IES)$/)].filter(([, name]) => !OF_SERVER.includes(name));
    expect(ours.length).toBeGreaterThan(12);
    expect(ours.filter(([property]) => !page.includes(`| \`${property}\``))).toEqual([]);
  });

  it('has every name that the server reserves', () => {
    const names = [...constants(/^RESERVED_PROPERTIES$/).keys()].flatMap((text) => text.trim().split(' '));
    const kept = names.filter((name) => name !== '');
    expect(kept.length).toBeGreaterThan(50);
    expect(kept.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
