// The error codes that the library throws, gathered from its sources.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../../tools/documents.js';

const CODE = /^[A-Z][A-Z0-9]+(_[A-Z0-9]+)*$/;
/** Constructors of errors, and functions that pass a code to one. */
const MAKES_ERROR =
  /(Error|Failure|Rejection)$|^(super|reject\w*|wrong|fail\w*|illegal\w*|invalid\w*|problem\w*|check\w*|assert\w*|unusable|damaged)$/;
/** Answers of the embedded broker; they are codes of the server. */
const OF_SERVER = /^(AnswerError|Rejection|RemotingRejection)$/;

/** @returns each code, and a file that throws it */
export function errorCodes(): Map<string, string> {
  const source = join(root, 'libs/rocketmq/src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.ts$/.test(name) && !/\.spec\.ts$|generated/.test(name),
  );
  const codes = new Map();
  for (const file of files.sort()) {
    const tree = ts.createSourceFile(file, readFileSync(join(source, file), 'utf8'), ts.ScriptTarget.Latest, true);
    visit(tree, (code) => codes.has(code) || codes.set(code, file));
  }
  return codes;
}

function visit(node: ts.Node, found: (code: string) => void): void {
  if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
    const callee = node.expression.getText().split('.').at(-1) ?? '';
    if (MAKES_ERROR.test(callee) && !OF_SERVER.test(callee)) {
      for (const argument of (node.arguments ?? []).slice(0, 2)) literals(argument, found);
    }
  }
  if (ts.isVariableDeclaration(node) && node.name.getText() === 'code' && node.initializer)
    literals(node.initializer, found);
  ts.forEachChild(node, (child) => visit(child, found));
}

/** The literals of an expression, of both branches of a condition, too. */
function literals(node: ts.Node, found: (code: string) => void): void {
  if (ts.isStringLiteral(node) && CODE.test(node.text)) found(node.text);
  if (ts.isConditionalExpression(node)) [node.whenTrue, node.whenFalse].map((branch) => literals(branch, found));
}
