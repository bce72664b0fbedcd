// Adds an element to a list of `@Module({ … })` by the syntax tree, in the style of the file. What it does not understand it does not touch.

import type typescript from 'typescript';

type Compiler = typeof typescript;

/** What is added to a module. */
export interface ModuleAddition {
  readonly list: 'imports' | 'controllers' | 'providers';
  /** The element, on one line or several, in the style of Prettier's defaults: it is adapted to the file. */
  readonly element: string;
  /** The name that the element begins with, and that is imported. */
  readonly symbol: string;
  /** The module specifier of the import. */
  readonly from: string;
}

/** The changed text, or why the file is not understood. `unchanged`: the element is there already. */
type ModuleEdit =
  | { readonly kind: 'changed'; readonly text: string }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'not-understood'; readonly problem: string };

const MAX_COLUMNS = 80;

interface Change {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

interface Style {
  readonly newline: string;
  readonly quote: string;
  readonly semicolon: string;
  /** One level. */
  readonly indent: string;
}

/** Adds an element to the only module of a file. */
export function addToModule(ts: Compiler, text: string, addition: ModuleAddition): ModuleEdit {
  const edit = editOf(ts, text, addition);
  if (edit.kind !== 'changed') return edit;
  // Read again, since a damaged module is worse than one that is not changed.
  const { diagnostics } = ts.transpileModule(edit.text, { reportDiagnostics: true });
  if (diagnostics?.some((one) => one.file !== undefined) !== false) return problem('its syntax has an error');
  return editOf(ts, edit.text, addition).kind === 'unchanged' ? edit : problem('its lists could not be read');
}

function editOf(ts: Compiler, text: string, addition: ModuleAddition): ModuleEdit {
  const file = sourceFileOf(ts, text);
  const modules = moduleObjectsIn(ts, file);
  const [object] = modules;
  if (object === undefined) return problem('it has no class with @Module({ … })');
  if (modules.length > 1) return problem('it has several classes with @Module({ … })');
  const list = propertyOf(ts, object, addition.list);
  if (list === 'other') return problem(`"${addition.list}" is not a list in brackets`);
  const other = otherImport(ts, file, addition);
  if (other !== undefined) return problem(other);
  if (list?.elements.some((element) => startsWith(ts, element, addition.symbol)) === true) return { kind: 'unchanged' };
  const style = styleOf(ts, file, object);
  const changes = [
    list === undefined ? newList(ts, text, object, addition, style) : longerList(ts, text, list, addition, style),
    ...importOf(ts, file, addition, style),
  ];
  return { kind: 'changed', text: withChanges(text, changes) };
}

/** The syntax tree of a file. */
export function sourceFileOf(ts: Compiler, text: string): typescript.SourceFile {
  return ts.createSourceFile('module.ts', text, ts.ScriptTarget.Latest, true);
}

const problem = (text: string): ModuleEdit => ({ kind: 'not-understood', problem: text });

/** The objects that are passed to `@Module()` of `@nestjs/common`. */
function moduleObjectsIn(ts: Compiler, file: typescript.SourceFile): typescript.ObjectLiteralExpression[] {
  const found: typescript.ObjectLiteralExpression[] = [];
  for (const statement of file.statements) {
    if (!ts.isClassDeclaration(statement)) continue;
    for (const { expression } of ts.getDecorators(statement) ?? []) {
      if (!ts.isCallExpression(expression) || expression.expression.getText(file) !== 'Module') continue;
      const [argument] = expression.arguments;
      if (argument !== undefined && ts.isObjectLiteralExpression(argument)) found.push(argument);
    }
  }
  return found;
}

/** The list of that name, undefined when there is none, `other` when it may be there in another way. */
function propertyOf(
  ts: Compiler,
  object: typescript.ObjectLiteralExpression,
  name: string,
): typescript.ArrayLiteralExpression | 'other' | undefined {
  for (const property of object.properties) {
    if (property.name === undefined || ts.isComputedPropertyName(property.name)) return 'other';
    const isIt = (ts.isIdentifier(property.name) || ts.isStringLiteral(property.name)) && property.name.text === name;
    if (!isIt) continue;
    const isList = ts.isPropertyAssignment(property) && ts.isArrayLiteralExpression(property.initializer);
    return isList ? (property.initializer as typescript.ArrayLiteralExpression) : 'other';
  }
  return undefined;
}

/** `RocketMQModule`, `RocketMQModule.forRoot()` and the like. */
function startsWith(ts: Compiler, element: typescript.Expression, symbol: string): boolean {
  let first = element;
  while (ts.isCallExpression(first) || ts.isPropertyAccessExpression(first)) first = first.expression;
  return ts.isIdentifier(first) && first.text === symbol;
}

function styleOf(ts: Compiler, file: typescript.SourceFile, object: typescript.ObjectLiteralExpression): Style {
  const first = file.statements.find((statement) => ts.isImportDeclaration(statement));
  const [property] = object.properties;
  const isOnOwnLine = property !== undefined && lineOf(file, property.getStart(file)) > lineOf(file, object.getStart());
  return {
    newline: file.text.includes('\r\n') ? '\r\n' : '\n',
    quote: first?.moduleSpecifier.getText(file).charAt(0) ?? "'",
    semicolon: first === undefined || first.getText(file).endsWith(';') ? ';' : '',
    indent: (isOnOwnLine && indentAt(file.text, property.getStart(file))) || '  ',
  };
}

const lineOf = (file: typescript.SourceFile, position: number): number =>
  file.getLineAndCharacterOfPosition(position).line;

/** The blanks at the start of the line of a position. */
export function indentAt(text: string, position: number): string {
  const line = text.slice(text.lastIndexOf('\n', position - 1) + 1, position);
  return line.slice(0, line.length - line.trimStart().length);
}

/** The element with the quotes, line ends and indentation of the file; its further lines are indented as its first one. */
function adapted(element: string, indent: string, style: Style): string {
  return element
    .replaceAll("'", style.quote)
    .split('\n')
    .map((line, index) => {
      const levels = (line.length - line.trimStart().length) / 2;
      return (index === 0 ? '' : indent) + style.indent.repeat(levels) + line.trimStart();
    })
    .join(style.newline);
}

/** A property for a module that has none of that name: the first one. */
function newList(
  ts: Compiler,
  text: string,
  object: typescript.ObjectLiteralExpression,
  { list, element }: ModuleAddition,
  style: Style,
): Change {
  const outer = indentAt(text, object.getStart());
  const inner = outer + style.indent;
  const property = `${style.newline}${inner}${list}: ${inBrackets([element], inner, style)},`;
  const start = object.getStart() + 1;
  const content = text.slice(start, object.properties[0]?.getStart() ?? object.getEnd() - 1);
  if (content.includes('\n')) {
    const at = afterComments(ts, text, start);
    return { from: at, to: at, text: property };
  }
  // What follows on the same line gets a line of its own, with its comments.
  const isEmpty = object.properties.length === 0 && content.trim() === '';
  const blanks = content.length - content.trimStart().length;
  return { from: start, to: start + blanks, text: property + style.newline + (isEmpty ? outer : inner) };
}

function longerList(
  ts: Compiler,
  text: string,
  list: typescript.ArrayLiteralExpression,
  { element, list: name }: ModuleAddition,
  style: Style,
): Change {
  const [from, to] = [list.getStart(), list.getEnd()];
  const last = list.elements.at(-1);
  const isOneLine = !text.slice(from, to).includes('\n');
  const blankEnd = from + text.slice(from, to - 1).trimEnd().length;
  if (!hasComment(text, list) && (last === undefined || isOneLine)) {
    const elements = [...list.elements.map((one) => one.getText()), element];
    const indent = indentAt(text, from);
    const oneLine = `[${elements.join(', ')}]`;
    const isShort = !element.includes('\n') && indent.length + name.length + oneLine.length + 3 <= MAX_COLUMNS;
    return { from, to, text: isShort ? oneLine : inBrackets(elements, indent, style) };
  }
  if (isOneLine) {
    const comma = last === undefined || list.elements.hasTrailingComma ? ' ' : ', ';
    return { from: blankEnd, to: to - 1, text: comma + adapted(element, indentAt(text, from), style) };
  }
  const indent = last === undefined ? indentAt(text, from) + style.indent : indentAt(text, last.getStart());
  // A comment behind the last element stays behind it.
  const end = last?.getEnd() ?? from + 1;
  // The elements end behind the trailing comma, which may stand behind comments that have commas themselves.
  const at = afterComments(ts, text, list.elements.end);
  const before = text.slice(end, at);
  const separator = last === undefined || list.elements.hasTrailingComma ? before : `,${before}`;
  const tail = list.elements.hasTrailingComma || last === undefined ? ',' : '';
  return {
    from: end,
    to: at,
    text: `${separator}${style.newline}${indent}${adapted(element, indent, style)}${tail}`,
  };
}

/** Behind the comments that follow a position on its line. */
function afterComments(ts: Compiler, text: string, position: number): number {
  return ts.getTrailingCommentRanges(text, position)?.at(-1)?.end ?? position;
}

/** Whether there is anything between the elements but commas. */
function hasComment(text: string, list: typescript.ArrayLiteralExpression): boolean {
  const starts = [...list.elements.map((one) => one.getStart()), list.getEnd() - 1];
  const ends = [list.getStart() + 1, ...list.elements.map((one) => one.getEnd())];
  return ends.some((end, index) => /[^\s,]/.test(text.slice(end, starts[index])));
}

/** A list with one element in a line. */
function inBrackets(elements: readonly string[], indent: string, style: Style): string {
  const inner = indent + style.indent;
  const last = elements.length - 1;
  const lines = elements.map(
    (element, index) => `${inner}${index === last ? adapted(element, inner, style) : element},`,
  );
  const [only = ''] = elements;
  if (elements.length === 1 && !only.includes('\n')) return `[${adapted(only, inner, style)}]`;
  return `[${style.newline}${lines.join(style.newline)}${style.newline}${indent}]`;
}

/** What else the file imports by the name of the symbol; undefined for nothing. */
function otherImport(ts: Compiler, file: typescript.SourceFile, { symbol, from }: ModuleAddition): string | undefined {
  const path = (specifier: string): string => specifier.replace(/\.js$/, '');
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const { importClause, moduleSpecifier } = statement;
    const bindings = importClause?.namedBindings;
    const named = bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements : [];
    const found = [importClause, ...named].find((one) => one?.name?.text === symbol);
    if (found === undefined) continue;
    if (path(moduleSpecifier.text) !== path(from)) return `it imports another ${symbol} from '${moduleSpecifier.text}'`;
    if (importClause?.isTypeOnly === true || found.isTypeOnly) return `it imports ${symbol} only as a type`;
  }
  return undefined;
}

/** Nothing when the symbol is imported already. */
function importOf(
  ts: Compiler,
  file: typescript.SourceFile,
  { symbol, from }: ModuleAddition,
  { quote, semicolon, newline }: Style,
): Change[] {
  const imports = file.statements.filter((statement) => ts.isImportDeclaration(statement));
  for (const { importClause, moduleSpecifier } of imports) {
    const named = importClause?.namedBindings;
    if (named === undefined || !ts.isNamedImports(named) || importClause?.isTypeOnly === true) continue;
    if (named.elements.some(({ name, isTypeOnly }) => name.text === symbol && !isTypeOnly)) return [];
    const last = named.elements.at(-1);
    const isSame = ts.isStringLiteral(moduleSpecifier) && moduleSpecifier.text === from;
    if (isSame && last !== undefined) return [{ from: last.getEnd(), to: last.getEnd(), text: `, ${symbol}` }];
  }
  const line = `import { ${symbol} } from ${quote}${from}${quote}${semicolon}`;
  // Packages stand before files.
  const isFile = (one: typescript.ImportDeclaration): boolean => /^['"]\./.test(one.moduleSpecifier.getText(file));
  const last = imports.findLast((one) => from.startsWith('.') || !isFile(one)) ?? imports.at(-1);
  if (last !== undefined) {
    const at = afterComments(ts, file.text, last.getEnd());
    return [{ from: at, to: at, text: newline + line }];
  }
  return [{ from: 0, to: 0, text: line + newline }];
}

function withChanges(text: string, changes: readonly Change[]): string {
  return [...changes]
    .sort((a, b) => b.from - a.from)
    .reduce((result, change) => result.slice(0, change.from) + change.text + result.slice(change.to), text);
}
