// The options of the library and of the console as their types have them: name, type, unit, default and text. What is written of them is configuration.ts.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../../tools/documents.js';

interface Option {
  name: string;
  type: string;
  unit: string;
  isOptional: boolean;
  default: string | undefined;
  text: string;
}

export interface OptionType {
  name: string;
  entries: string[];
  text: string;
  bases: string[];
  options: Option[];
}

/** Options under other names, by entry. All that is called …Options is found by its name. */
const OTHERS = [
  'ListenerSettings',
  'ListenerOverrides',
  'FailurePolicy',
  'MessageListener',
  'BatchListening',
  'Subscription',
  'ExponentialBackoff',
  'CustomizedBackoff',
  'Credentials',
  'TopicDeclaration',
  'GroupDeclaration',
  'GroupDefinition',
  'GroupSettings',
  'LiteGroup',
  'BrokerUser',
  'BrokerPermission',
  'AdvertisedAddress',
  'FaultRule',
];

/** Of numbers whose name does not end with their unit. */
const UNITS = new Map([
  ['ackBatchSize', 'acks'],
  ['afterMessages', 'messages'],
  ['attempt', 'deliveries'],
  ['backoff', 'ms'],
  ['batchSize', 'messages'],
  ['concurrency', 'at once'],
  ['controlPort', 'port'],
  ['fromVersion', 'version of the tables'],
  ['groupConcurrency', 'at once'],
  ['level', '1 to 9'],
  ['limit', 'messages'],
  ['maxAttempts', 'attempts'],
  ['maxBatches', 'batches'],
  ['maxBufferedMessages', 'messages'],
  ['maxDeliveryAttempts', 'deliveries'],
  ['maxInFlight', 'messages'],
  ['maxLiteTopics', 'lite topics'],
  ['maxMessages', 'messages'],
  ['maxSize', 'messages'],
  ['maxWaiting', 'calls'],
  ['maxWaitingRequests', 'requests'],
  ['morePorts', 'ports'],
  ['multiplier', 'factor'],
  ['nameServerPort', 'port'],
  ['pageSize', 'messages'],
  ['port', 'port'],
  ['priority', 'priority'],
  ['queue', 'queue'],
  ['queues', 'queues'],
  ['skip', 'calls'],
  ['subscriptionQuota', 'lite topics'],
  ['times', 'calls'],
  ['transactionCheckMax', 'checks'],
  ['toVersion', 'version of the tables'],
  ['version', 'version of the bodies'],
]);

/** The folders in libs, by the names of the packages. */
const PACKAGES = { 'nestjs-rocketmq': 'rocketmq', 'nestjs-rocketmq-console': 'console' };

/** The entry points: their names as one imports them, and their files. */
export function entryPoints() {
  const points = Object.entries(PACKAGES).flatMap(([name, folder]) => {
    const source = join(root, 'libs', folder, 'src/entries');
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' });
    const names = files.filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -'.ts'.length));
    const others = names.filter((one) => one !== 'nest').sort();
    return [
      [name, join(source, 'nest.ts')] as const,
      ...others.map((one) => [`${name}/${one}`, join(source, `${one}.ts`)] as const),
    ];
  });
  return new Map(points);
}

/** All option types of the entry points, in the order of the entries. */
export function optionTypes(): OptionType[] {
  const entries = entryPoints();
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const program = ts.createProgram([...entries.values()], options);
  const checker = program.getTypeChecker();
  const found = new Map<ts.Symbol, string[]>();
  for (const [entry, file] of entries) {
    for (const symbol of exportsOf(checker, program.getSourceFile(file))) {
      found.set(symbol, [...(found.get(symbol) ?? []), entry]);
    }
  }
  return [...found].map(([symbol, names]) => describe(checker, symbol, names, [...found.keys()]));
}

function exportsOf(checker: ts.TypeChecker, file: ts.SourceFile | undefined) {
  const module = file && checker.getSymbolAtLocation(file);
  if (module === undefined) throw new Error('an entry exports nothing');
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    .filter((symbol) => /Options$/.test(symbol.name) || OTHERS.includes(symbol.name))
    .filter((symbol) => !checker.getDeclaredTypeOfSymbol(symbol).isUnion());
}

function describe(checker: ts.TypeChecker, symbol: ts.Symbol, entries: string[], listed: ts.Symbol[]) {
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const bases = basesOf(checker, type).filter((base) => listed.includes(base));
  const elsewhere = new Set(
    bases.flatMap((base) => checker.getDeclaredTypeOfSymbol(base).getProperties()).map(placeOf),
  );
  const options = type.getProperties().filter((property) => !elsewhere.has(placeOf(property)));
  return {
    name: symbol.name,
    entries,
    text: textOf(checker, symbol),
    bases: bases.map(({ name }) => name),
    options: options.map((property) => optionOf(checker, property)),
  };
}

function basesOf(checker: ts.TypeChecker, type: ts.Type): ts.Symbol[] {
  if (!type.isClassOrInterface()) return [];
  return checker.getBaseTypes(type).flatMap((base) => (base.symbol === undefined ? [] : [base.symbol]));
}

function isForeign(property: ts.Symbol): boolean {
  return property.declarations?.[0]?.getSourceFile().fileName.includes('/node_modules/') ?? false;
}

function placeOf(property: ts.Symbol) {
  return property.declarations?.[0] ?? property;
}

function optionOf(checker: ts.TypeChecker, property: ts.Symbol): Option {
  let text = textOf(checker, property);
  const type = checker.getNonNullableType(checker.getTypeOfSymbol(property));
  // Nest's own options have texts of their own kind.
  if (isForeign(property)) text = `${text} Default: none.`;
  return {
    name: property.name,
    type: declaredType(checker, property, type),
    unit: isNumeric(checker, type) ? unitOf(property.name) : '',
    isOptional: (property.flags & ts.SymbolFlags.Optional) !== 0,
    ...splitDefault(text),
  };
}

function declaredType(checker: ts.TypeChecker, property: ts.Symbol, type: ts.Type): string {
  const declaration = property.declarations?.[0];
  if (declaration !== undefined && ts.isMethodSignature(declaration)) {
    return checker.typeToString(type, undefined, ts.TypeFormatFlags.NoTruncation);
  }
  const written = declaration && ts.isPropertySignature(declaration) ? declaration.type?.getText() : undefined;
  // The name of a type alone does not show its values.
  const texts = written !== undefined && /^\w+$/.test(written) ? textsOf(type) : undefined;
  if (texts !== undefined) return texts.sort().join(' | ');
  const text = written ?? checker.typeToString(type);
  return text
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    .replace(/\s+/g, ' ')
    .replace(/\( | \)/g, (space) => space.trim())
    .replaceAll(',)', ')')
    .replace(/^\| /, '')
    .replace(/\breadonly /g, '')
    .trim();
}

/** The values of a union of string literals, quoted; undefined for another type. */
function textsOf(type: ts.Type) {
  if (!type.isUnion() || !type.types.every((part) => part.isStringLiteral())) return undefined;
  return type.types.flatMap((part) => (part.isStringLiteral() ? `'${part.value}'` : []));
}

function isNumeric(checker: ts.TypeChecker, type: ts.Type): boolean {
  if (type.flags & ts.TypeFlags.NumberLike) return true;
  if (type.isUnion()) return type.types.some((part) => isNumeric(checker, part));
  const [element] = checker.isArrayType(type) ? checker.getTypeArguments(type as ts.TypeReference) : [];
  return element !== undefined && isNumeric(checker, element);
}

function unitOf(name: string): string {
  if (name.endsWith('Ms')) return 'ms';
  if (name.endsWith('Bytes')) return 'bytes';
  return UNITS.get(name) ?? '?';
}

function textOf(checker: ts.TypeChecker, symbol: ts.Symbol): string {
  return ts
    .displayPartsToString(symbol.getDocumentationComment(checker))
    .replace(/\{@link (\w+)\}/g, '`$1`')
    .replace(/\s+/g, ' ')
    .trim();
}

/** The default is what the sentence says that begins with "Default". */
function splitDefault(text: string) {
  const found = /(?:^|(?<=[.:;)] ))Default(?:,? and most)?:? (.+?)\.?(?=(?<=\.) [A-Z`]|$)/.exec(text);
  if (found === null) return { default: undefined, text };
  const rest = `${text.slice(0, found.index)}${text.slice(found.index + found[0].length)}`.trim();
  return { default: found[1], text: rest };
}
