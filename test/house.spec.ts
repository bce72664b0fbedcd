// Checks the one-way dependencies between folders by reading the imports.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import typescript from 'typescript';

const root = process.cwd();
const library = join(root, 'libs/rocketmq/src');

/** A folder may import itself and the folders listed before it. */
const FLOORS = [
  'support',
  'http2',
  'protocol',
  'remoting',
  'admin',
  'gateway',
  'client',
  'producer',
  'consumer',
  'broker',
  'sql',
  'nest',
  'opentelemetry',
  'terminus',
  'testing',
  'schematics',
  'cli',
  'entries',
] as const;
type Floor = (typeof FLOORS)[number];

/** Floors that may import only the listed parts of the floors below them. */
const STRICTER: Partial<Record<Floor, readonly Floor[]>> = {
  protocol: ['support'],
  remoting: ['support', 'http2', 'protocol'],
  admin: ['support', 'protocol', 'remoting'],
  gateway: ['support', 'protocol', 'remoting'],
  client: ['support', 'http2', 'protocol'],
  producer: ['support', 'protocol', 'client'],
  consumer: ['support', 'protocol', 'client'],
  broker: ['support', 'http2', 'protocol'],
  sql: ['support', 'protocol', 'client', 'producer'],
  // nest loads the broker only by `import()`, when an application uses it.
  nest: ['support', 'protocol', 'client', 'producer', 'consumer', 'sql'],
  // protocol: the attributes of a message in spans, including the type that its fields imply.
  opentelemetry: ['support', 'protocol', 'client', 'producer', 'consumer'],
  terminus: ['support', 'nest'],
  testing: ['support', 'protocol', 'client', 'producer', 'broker', 'nest'],
  schematics: ['support', 'protocol'],
};

/** Packages that a floor may import in addition to Node's own; other floors import none. */
const PACKAGES: Partial<Record<Floor | 'entry', readonly RegExp[]>> = {
  protocol: [/^@bufbuild\/protobuf\/wire$/],
  client: [/^@grpc\/grpc-js$/],
  broker: [/^sorted-btree$/, /^@lezer\/(common|lr)$/],
  nest: [/^@nestjs\/(common|core|microservices)$/, /^rxjs$/, /^@standard-schema\/spec$/, /^reflect-metadata$/],
  opentelemetry: [/^@opentelemetry\/api$/],
  terminus: [/^@nestjs\/(common|core|terminus)$/],
  // Types only: the compiler is that of the project.
  schematics: [/^typescript$/],
  // Of users' test runners: each in the entry for it.
  testing: [/^vitest$/, /^@jest\/(globals|expect)$/],
  cli: [/^commander$/],
};

/** Packages that a floor may load by `import()`; users install them. */
const LAZY_PACKAGES: Partial<Record<Floor, readonly RegExp[]>> = {
  broker: [/^lmdb$/],
  nest: [/^class-(validator|transformer)$/],
  sql: [/^cron-parser$/],
};

/** Floors that a floor may load by `import()` in addition to those that it imports. */
const LAZY: Partial<Record<Floor, readonly Floor[]>> = {
  client: ['gateway'],
  // The relay of delayed messages consumes.
  producer: ['consumer'],
  nest: ['broker', 'admin'],
  cli: FLOORS,
};

/**
 * The rooms of a floor: each may import itself and the rooms listed before it. `.` is the floor's own folder, where that has a place among them;
 * with `*` its files are what the rooms stand on, or what joins them.
 */
const ROOMS: Partial<Record<Floor, readonly string[]>> = {
  protocol: ['model', 'credentials', 'remoting', 'grpc'],
  admin: ['topics', 'messages', 'groups', 'dead-letters', '*'],
  producer: ['sending', 'transactions', '.'],
  consumer: ['model', 'listeners', 'receive', 'lease', 'dispatch', 'simple', '.'],
  broker: ['store', 'engine', 'time', 'access', 'filter', 'services', 'admin', 'remoting', 'control', '*'],
  sql: ['log', 'schedule', 'outbox', 'ports', 'postgresql', 'mysql', '*'],
  nest: [
    'common',
    'messages',
    'transactions',
    'sending',
    'listening',
    'cluster',
    'events',
    'health',
    'runtime',
    'transport',
    'module',
    'asyncapi',
  ],
};

/** What is beside the library: the other folders that each may import. */
const GROUNDS = {
  tools: ['libs'],
  scripts: ['tools', 'libs'],
  checks: ['tools', 'scripts', 'libs'],
  test: ['tools', 'scripts', 'libs', 'apps', 'docs'],
} as const;

interface Import {
  readonly file: string;
  readonly from: string;
  readonly isLazy: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  return typescript.preProcessFile(text, true, true).importedFiles.map(({ fileName, pos }) => {
    const before = text.slice(0, pos);
    const isLazy = /\bimport\(\s*['"]?$/.test(before);
    return { file, from: fileName, isLazy };
  });
}

const isEntry = (file: string): boolean => relative(library, file).startsWith('entries/');

/** The violation of an import of the library, or undefined. */
function violation({ file, from, isLazy }: Import): string | undefined {
  const floor = relative(library, file).split('/')[0] as Floor;
  const violation = `${relative(root, file)} imports ${from}`;
  if (!from.startsWith('.')) {
    const packages = [...(PACKAGES[floor] ?? []), ...(isLazy ? (LAZY_PACKAGES[floor] ?? []) : [])];
    const isAllowed = from.startsWith('node:') || packages.some((allowed) => allowed.test(from));
    return isAllowed ? undefined : violation;
  }
  if (isEntry(file)) return undefined;
  const target = relative(library, resolve(dirname(file), from)).split('/')[0] as Floor;
  const above = STRICTER[floor] ?? FLOORS.slice(0, FLOORS.indexOf(floor));
  const allowed = [floor, ...above, ...(isLazy ? (LAZY[floor] ?? []) : [])];
  return allowed.includes(target) ? undefined : violation;
}

/** The violation of an import between the folders beside the library, or undefined. */
function groundViolation({ file, from }: Import): string | undefined {
  const [here, ...elsewhere] = relative(root, file).split('/') as [keyof typeof GROUNDS, ...string[]];
  const [there, ...inside] = relative(root, resolve(dirname(file), from)).split('/');
  const isAtRoot = elsewhere.length === 0 || inside.length === 0;
  const allowed: readonly (string | undefined)[] = [here, ...GROUNDS[here]];
  return !from.startsWith('.') || isAtRoot || allowed.includes(there)
    ? undefined
    : `${relative(root, file)} imports ${from}`;
}

/** Import cycles between files, each once. */
function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file]);
    if (done.has(file) || path.includes(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return circles;
}

/** The room of a file that belongs to a floor with rooms. */
function roomOf(path: string): { readonly floor: Floor; readonly room: string } {
  const [floor, ...rest] = relative(library, path).split('/');
  return { floor: floor as Floor, room: rest.length > 1 ? (rest[0] as string) : '.' };
}

/** The violation of an import between two rooms of one floor, or undefined. */
function roomViolation({ file, from }: Import): string | undefined {
  const [here, there] = [roomOf(file), roomOf(resolve(dirname(file), from))];
  const rooms = ROOMS[here.floor];
  if (!from.startsWith('.') || isEntry(file) || rooms === undefined || there.floor !== here.floor) return undefined;
  const isJoining = rooms.includes('*') && [here.room, there.room].includes('.');
  const isAllowed =
    isJoining || (rooms.includes(here.room) && rooms.slice(0, rooms.indexOf(here.room) + 1).includes(there.room));
  return isAllowed ? undefined : `${relative(root, file)} imports ${from}`;
}

describe('the house', () => {
  it('has only the floors of the design', () => {
    const folders = readdirSync(library, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).filter((name) => !FLOORS.includes(name as Floor))).toEqual([]);
  });

  it('imports one way: each floor only those listed above it', () => {
    const imports = sourceFiles(library).flatMap(importsOf);
    expect(imports.length).toBeGreaterThan(100);
    expect(imports.map(violation).filter((problem) => problem !== undefined)).toEqual([]);
  });

  it('imports one way between the rooms of a floor, too', () => {
    const imports = sourceFiles(library).flatMap(importsOf);
    expect(imports.map(roomViolation).filter((problem) => problem !== undefined)).toEqual([]);
    const upwards = { file: join(library, 'consumer/lease/a.ts'), from: '../dispatch/delivery.js', isLazy: false };
    expect(roomViolation(upwards)).toContain('delivery.js');
  });

  it('has tools below scripts, and both below tests and checks, which import nothing of each other', () => {
    const files = Object.keys(GROUNDS).flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter(({ parentPath, name }) => /\.(ts|mjs)$/.test(name) && !parentPath.includes('node_modules'))
        .map(({ parentPath, name }) => join(parentPath, name)),
    );
    expect(files.length).toBeGreaterThan(400);
    expect(
      files
        .flatMap(importsOf)
        .map(groundViolation)
        .filter((problem) => problem !== undefined),
    ).toEqual([]);
    const sideways = { file: join(root, 'checks/chaos/run.ts'), from: '../../test/fixtures/a.js', isLazy: false };
    expect(groundViolation(sideways)).toContain('test/fixtures/a.js');
  });

  it('has no import cycles anywhere, not even of types or of what is loaded when it is needed', () => {
    const files = ['apps', 'checks', 'libs', 'scripts', 'test', 'tools'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter(
          ({ parentPath, name }) =>
            /\.(tsx?|mjs)$/.test(name) && !/\/(node_modules|dist|generated)(\/|$)/.test(parentPath),
        )
        .map(({ parentPath, name }) => join(parentPath, name)),
    );
    expect(files.length).toBeGreaterThan(1_000);
    const known = new Set(files);
    const targetOf = (file: string, from: string): readonly string[] => {
      const path = resolve(dirname(file), from);
      const paths = [path, path.replace(/\.js$/, '.ts'), path.replace(/\.js$/, '.tsx')];
      return paths.filter((one) => known.has(one)).slice(0, 1);
    };
    const imports = new Map(
      files.map((file) => [
        file,
        importsOf(file).flatMap(({ from }) => (from.startsWith('.') ? targetOf(file, from) : [])),
      ]),
    );
    expect(circlesIn(imports).map((paths) => paths.map((file) => relative(root, file)).join(' -> '))).toEqual([]);
    expect(circlesIn(new Map(Object.entries({ a: ['b'], b: ['c'], c: ['b'] })))).toEqual([['b', 'c', 'b']]);
  });

  it('reports an import that violates it', () => {
    const broker = join(library, 'broker/engine/engine.ts');
    expect(violation({ file: broker, from: '../../client/client.js', isLazy: false })).toContain('client.js');
    expect(violation({ file: join(library, 'support/clock.ts'), from: 'rxjs', isLazy: false })).toContain('rxjs');
    expect(violation({ file: join(library, 'nest/a.ts'), from: '../broker/index.js', isLazy: false })).toBeDefined();
    expect(violation({ file: join(library, 'nest/a.ts'), from: '../broker/index.js', isLazy: true })).toBeUndefined();
  });

  it('is imported by the apps only through the entry points of the package', () => {
    const outside = ['apps/order-demo/src', 'apps/inventory-demo/src', 'libs/demo-kit/src'];
    const imports = outside.flatMap((folder) => sourceFiles(join(root, folder)).flatMap(importsOf));
    expect(imports.filter(({ from }) => from.includes('libs/rocketmq') || /nestjs-rocketmq\/.+\//.test(from))).toEqual(
      [],
    );
  });

  it('gives a name that entries export one meaning', () => {
    const meanings = new Map<string, Set<string>>();
    for (const file of sourceFiles(join(library, 'entries'))) {
      for (const [, names = '', from] of readFileSync(file, 'utf8').matchAll(
        /export (?:type )?\{([^}]*)\} from '(.+)'/g,
      )) {
        for (const name of names.split(',').map((one) => one.trim().replace(/^type /, ''))) {
          // The entries for test runners export the same, each bound to its runner.
          const meaning = String(from).replace(/\/runners\/[\w-]+\.js$/, '/runners');
          if (name !== '') meanings.set(name, (meanings.get(name) ?? new Set()).add(meaning));
        }
      }
    }
    expect(meanings.size).toBeGreaterThan(200);
    expect([...meanings].filter(([, files]) => files.size > 1)).toEqual([]);
  });

  it('says at the top of a source or check of more than 300 lines why it is one, and has six of more than 350', () => {
    const long = [library, join(root, 'checks')]
      .flatMap(sourceFiles)
      .filter((file) => !/generated|node_modules/.test(file))
      .map((file) => ({ file: relative(root, file), lines: readFileSync(file, 'utf8').split('\n') }))
      .filter(({ lines }) => lines.length > 301);
    const silent = long.filter(
      ({ lines }) => !lines.slice(0, 6).some((line) => /^\/\/ .*[Oo]ver 300 lines/.test(line)),
    );
    // What is missing in its first 6 lines: "// Over 300 lines: REASON."
    expect(silent.map(({ file }) => `${file} does not say why it is over 300 lines`)).toEqual([]);
    // Connection of HTTP/2, EmbeddedBroker, PushConsumer, ControlClient, RocketMQAdmin, Producer: mostly the docs of public methods.
    expect(long.filter(({ lines }) => lines.length > 351).map(({ file }) => file)).toHaveLength(6);
  });

  it('uses time, randomness and timers only in support/', () => {
    const forbidden =
      /\bDate\.now\(|\bsetTimeout\(|\bsetInterval\(|\bMath\.random\(|\brandomUUID\(|AbortSignal\.timeout/;
    const files = sourceFiles(library).filter((file) => !/^(support|cli)\//.test(relative(library, file)));
    expect(
      files.filter((file) => forbidden.test(readFileSync(file, 'utf8'))).map((file) => relative(root, file)),
    ).toEqual([]);
  });

  it('uses no console, files or process events, except in the command line, the schematics and the store on disk', () => {
    const forbidden = /\bconsole\.|\bprocess\.(stdout|stderr|exit|abort|kill|on|once|emitWarning)\b|['"]node:fs/;
    const mayTouch =
      /^(cli\/|schematics\/(package-folder|templates)\.ts|broker\/store\/(folder-lock|lmdb-file|private-files|store-folder)\.ts|support\/process-mark\.ts)/;
    const files = sourceFiles(library).filter((file) => !mayTouch.test(relative(library, file)));
    expect(
      files
        .filter((file) => forbidden.test(readFileSync(file, 'utf8')) && forbidden.test(withoutComments(file)))
        .map((file) => relative(root, file)),
    ).toEqual([]);
  });

  it('keeps no state in modules and classes, so that one process can have several instances of everything', () => {
    const files = sourceFiles(library).filter((file) => !/generated|^cli\//.test(relative(library, file)));
    expect(files.flatMap((file) => sharedState(relative(root, file), readFileSync(file, 'utf8')))).toEqual([]);
  });

  it('reports state that would be shared', () => {
    const found = (text: string): string[] => sharedState('a.ts', text);
    expect(found('let count = 0;')).toEqual(['a.ts: count']);
    expect(found('export const known = new Map<string, number>();')).toEqual(['a.ts: known']);
    expect(found('const waiting: string[] = [];')).toEqual(['a.ts: waiting']);
    expect(found('class A { static last = 1; static readonly all: string[] = []; }')).toEqual([
      'a.ts: last',
      'a.ts: all',
    ]);
    expect(found('const names: ReadonlySet<string> = new Set(["a"]);')).toEqual([]);
    expect(found('class A { static readonly limit = 1; private readonly own = new Map(); }')).toEqual([]);
    expect(found('function f() { let a = 0; const b = []; return [a, b]; }')).toEqual([]);
  });
});

function withoutComments(file: string): string {
  const compilerOptions = {
    removeComments: true,
    target: typescript.ScriptTarget.ES2022,
    experimentalDecorators: true,
  };
  return typescript.transpileModule(readFileSync(file, 'utf8'), { compilerOptions }).outputText;
}

/** The names of mutable module variables and static fields. */
function sharedState(name: string, text: string): string[] {
  const source = typescript.createSourceFile(name, text, typescript.ScriptTarget.Latest, true);
  const found: string[] = [];
  const collect = (isFixed: boolean, field: { name: typescript.Node } & Initialized): void => {
    if (!isFixed || isOpenCollection(field)) found.push(`${name}: ${field.name.getText(source)}`);
  };
  for (const statement of source.statements) {
    if (typescript.isVariableStatement(statement)) {
      const isConst = (statement.declarationList.flags & typescript.NodeFlags.Const) !== 0;
      for (const declaration of statement.declarationList.declarations) collect(isConst, declaration);
    }
    if (!typescript.isClassDeclaration(statement)) continue;
    for (const member of statement.members.filter(typescript.isPropertyDeclaration)) {
      const kinds = (member.modifiers ?? []).map(({ kind }) => kind);
      if (!kinds.includes(typescript.SyntaxKind.StaticKeyword)) continue;
      collect(kinds.includes(typescript.SyntaxKind.ReadonlyKeyword), member);
    }
  }
  return found;
}

type Initialized = { readonly type?: typescript.TypeNode; readonly initializer?: typescript.Expression };

/** Whether an initializer is a collection whose type is not read-only. */
function isOpenCollection({ type, initializer }: Initialized): boolean {
  const isReadonly = type !== undefined && /^(Readonly|readonly )/.test(type.getText());
  if (initializer === undefined || isReadonly) return false;
  if (typescript.isArrayLiteralExpression(initializer)) return initializer.elements.length === 0;
  return typescript.isNewExpression(initializer) && /^(Weak)?(Map|Set)$|^Array$/.test(initializer.expression.getText());
}
