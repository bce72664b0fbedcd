// Has `main.ts` call `app.enableShutdownHooks()`. What it does not understand it does not touch.

import type typescript from 'typescript';
import { indentAt, sourceFileOf } from './module-edit.js';

type Compiler = typeof typescript;

/** @returns the changed text; undefined when the call is there already, or the file is not understood */
export function withShutdownHooks(ts: Compiler, text: string): string | undefined {
  if (text.includes('enableShutdownHooks')) return undefined;
  const file = sourceFileOf(ts, text);
  const creations: { readonly statement: typescript.Node; readonly name: string }[] = [];
  const look = (node: typescript.Node): void => {
    if (ts.isVariableStatement(node)) {
      const [declaration, ...others] = node.declarationList.declarations;
      const made = declaration?.initializer;
      const isCreation =
        made !== undefined && ts.isAwaitExpression(made) && /^NestFactory\.create/.test(made.expression.getText(file));
      if (declaration !== undefined && isCreation && others.length === 0 && ts.isIdentifier(declaration.name))
        creations.push({ statement: node, name: declaration.name.text });
    }
    ts.forEachChild(node, look);
  };
  look(file);
  const [creation, ...others] = creations;
  if (creation === undefined || others.length > 0) return undefined;
  const { statement, name } = creation;
  const start = statement.getStart(file);
  const indent = indentAt(text, start);
  const end = statement.getEnd();
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const semicolon = text.slice(start, end).endsWith(';') ? ';' : '';
  return `${text.slice(0, end)}${newline}${indent}${name}.enableShutdownHooks()${semicolon}${text.slice(end)}`;
}
