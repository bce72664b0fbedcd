// The declarations that are published: what the entries export and what that refers to, without the rest of its files.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

interface DeclarationFile {
  readonly source: ts.SourceFile;
  /** Its declarations, by name. */
  readonly locals: Map<string, readonly ts.Statement[]>;
  /** Where an imported name is from. */
  readonly imports: Map<string, { readonly specifier: ts.ImportSpecifier; readonly from: string }>;
  /** The statements and the names in braces that stay. */
  readonly kept: Set<ts.Node>;
}

export class Declarations {
  readonly #files = new Map<string, DeclarationFile>();

  /** Keeps everything that a file exports. */
  keepAll(path: string): void {
    const file = this.#open(path);
    for (const statement of file.source.statements) this.#keepStatement(path, file, statement);
  }

  /**
   * Writes what is kept.
   * @param from the folder that was read
   */
  write(from: string, to: string): void {
    for (const [path, { source, kept }] of this.#files) {
      const text = source.statements.map((statement) => textOf(statement, kept)).join('');
      const target = join(to, relative(from, path));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, `${text.trim()}\n`);
    }
  }

  #open(path: string): DeclarationFile {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
    const file: DeclarationFile = { source, locals: new Map(), imports: new Map(), kept: new Set() };
    this.#files.set(path, file);
    for (const statement of source.statements) {
      for (const name of namesOf(statement)) file.locals.set(name, [...(file.locals.get(name) ?? []), statement]);
      for (const specifier of importsOf(statement))
        file.imports.set(specifier.name.text, { specifier, from: moduleOf(specifier.parent.parent.parent) });
    }
    // What adds to other modules and to globals holds wherever the file is loaded.
    for (const statement of source.statements)
      if (isAugmentation(statement)) this.#keepStatement(path, file, statement);
    return file;
  }

  /** @param name that the file exports */
  #keepExport(path: string, name: string): void {
    const file = this.#open(path);
    const exported = file.source.statements.flatMap(exportsOf).find((one) => one.name.text === name);
    if (exported !== undefined) this.#keepExported(path, file, exported);
    else if (file.locals.has(name)) this.#keepLocal(path, file, name);
    else throw new Error(`${path} does not export ${name}`);
  }

  #keepExported(path: string, file: DeclarationFile, specifier: ts.ExportSpecifier): void {
    file.kept.add(specifier);
    const { text } = specifier.propertyName ?? specifier.name;
    const declaration = specifier.parent.parent;
    if (declaration.moduleSpecifier === undefined) this.#keepLocal(path, file, text);
    else this.#keepFrom(path, moduleOf(declaration), text);
  }

  /** @param from as it is imported there */
  #keepFrom(path: string, from: string, name: string): void {
    if (from.startsWith('.')) this.#keepExport(fileOf(path, from), name);
  }

  #keepLocal(path: string, file: DeclarationFile, name: string): void {
    for (const statement of file.locals.get(name) ?? []) this.#keepStatement(path, file, statement);
    const imported = file.imports.get(name);
    if (imported === undefined || file.kept.has(imported.specifier)) return;
    file.kept.add(imported.specifier);
    const { specifier, from } = imported;
    this.#keepFrom(path, from, (specifier.propertyName ?? specifier.name).text);
  }

  #keepStatement(path: string, file: DeclarationFile, statement: ts.Statement): void {
    if (ts.isImportDeclaration(statement) || file.kept.has(statement)) return;
    file.kept.add(statement);
    for (const specifier of exportsOf(statement)) this.#keepExported(path, file, specifier);
    if (!ts.isExportDeclaration(statement)) this.#keepReferences(path, file, statement);
  }

  #keepReferences(path: string, file: DeclarationFile, node: ts.Node): void {
    // The name of a member or a parameter refers to nothing.
    const isName = 'name' in node.parent && node.parent.name === node;
    if (ts.isIdentifier(node) && !isName) this.#keepLocal(path, file, node.text);
    if (ts.isImportTypeNode(node)) this.#keepFrom(path, stringOf(node.argument), nameInModule(node));
    ts.forEachChild(node, (child) => this.#keepReferences(path, file, child));
  }
}

function fileOf(path: string, from: string): string {
  return resolve(dirname(path), from).replace(/\.js$/, '.d.ts');
}

/** What a statement declares. */
function namesOf(statement: ts.Statement): readonly string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  const { name } = statement as { readonly name?: ts.Node };
  return name !== undefined && ts.isIdentifier(name) && !isAugmentation(statement) ? [name.text] : [];
}

function importsOf(statement: ts.Statement): readonly ts.ImportSpecifier[] {
  if (!ts.isImportDeclaration(statement)) return [];
  const bindings = statement.importClause?.namedBindings;
  if (bindings !== undefined && ts.isNamedImports(bindings) && statement.importClause?.name === undefined)
    return bindings.elements;
  throw new Error(`only names in braces can be imported: ${statement.getText()}`);
}

function exportsOf(statement: ts.Statement): readonly ts.ExportSpecifier[] {
  if (ts.isExportAssignment(statement)) throw new Error(`a default export: ${statement.getText()}`);
  if (!ts.isExportDeclaration(statement)) return [];
  if (statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause))
    return statement.exportClause.elements;
  throw new Error(`only names in braces can be exported: ${statement.getText()}`);
}

function isAugmentation(statement: ts.Statement): boolean {
  return (
    ts.isModuleDeclaration(statement) &&
    (ts.isStringLiteral(statement.name) || (statement.flags & ts.NodeFlags.GlobalAugmentation) !== 0)
  );
}

function moduleOf({ moduleSpecifier }: { readonly moduleSpecifier?: ts.Expression }): string {
  return moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier) ? moduleSpecifier.text : '';
}

function stringOf(type: ts.TypeNode): string {
  return ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal) ? type.literal.text : '';
}

/** `X` of `import('./x.js').X` and of `typeof import('./x.js')['X']`. */
function nameInModule(node: ts.ImportTypeNode): string {
  let { qualifier } = node;
  while (qualifier !== undefined && ts.isQualifiedName(qualifier)) qualifier = qualifier.left;
  if (qualifier !== undefined) return qualifier.text;
  return ts.isIndexedAccessTypeNode(node.parent) ? stringOf(node.parent.indexType) : '';
}

function textOf(statement: ts.Statement, kept: ReadonlySet<ts.Node>): string {
  if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement))
    return kept.has(statement) ? statement.getFullText() : '';
  const specifiers = [...importsOf(statement), ...exportsOf(statement)];
  // `export {}` makes a module of a file, and keeps what it does not export inside.
  if (specifiers.length === 0) return `\n${statement.getText()}`;
  const names = specifiers.filter((one) => kept.has(one)).map((one) => one.getText());
  if (names.length === 0) return '';
  const keyword = ts.isImportDeclaration(statement) ? 'import' : 'export';
  const type = statement.getText().startsWith(`${keyword} type`) ? ' type' : '';
  const from = statement.moduleSpecifier === undefined ? '' : ` from ${statement.moduleSpecifier.getText()}`;
  return `\n${keyword}${type} { ${names.join(', ')} }${from};`;
}
