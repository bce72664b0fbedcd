// What the gate runs, in which order, and what runs beside it. Nothing runs here. README.md says what each stage sees that others do not.

import { PARTS } from '../rocketmq/parts.js';

/** A stage that failed keeps no other from running. */
export type Stage =
  /** Commands that run at once. No counts of their own: the stage counts as one. */
  (
    | { readonly kind: 'commands'; readonly name: string; readonly commands: readonly Command[] }
    /** A jest run, whose tests are counted. Files that fail run once more, alone. */
    | {
        readonly kind: 'suite';
        readonly name: string;
        readonly command: Command;
        readonly env?: NodeJS.ProcessEnv;
        readonly node?: number;
      }
    /** A check that has cases, which are counted. If one fails, the check runs once more. */
    | { readonly kind: 'cases'; readonly name: string; readonly command: Command }
    /** The suites `tests` and `rocketmq` have run the same cases of the contract. */
    | { readonly kind: 'same-contract'; readonly name: string }
  ) & {
    /** It starts when all before it have ended, and the next one when it has: it measures, or others read what it writes. */
    readonly isAlone?: true;
  };

export type Command = readonly [program: string, ...args: string[]];

/** What decides beside the code. */
export interface About {
  readonly full: boolean;
  /** From the commit: new seeds for each, and the same ones whenever it is checked again. */
  readonly seed: number;
  /** The paths of all suites, sorted. */
  readonly specs: readonly string[];
  readonly has: Readonly<Record<'postgresql' | 'mariadb' | 'mysql' | 'cargo', boolean>>;
}

const NEWEST = '5.5.0';
const OLDER = ['5.3.3', '5.4.0'];
/** Also by name server, where releases without a proxy on Maven Central run, too. */
const WITHOUT_PROXY = ['5.3.3', '5.1.4'];
const OLDEST = '5.0.0';
/** By name server only. Consumers pull from them. */
const OF_4X = ['4.9.7', '4.5.2'];
/** The embedded broker states such a release, too, and clients pull from it. */
const BY_PULL = { ROCKETMQ_TEST_TRANSPORT: 'remoting', ROCKETMQ_TEST_VERSION: OF_4X[0] };
const TRANSPORTS = ['http2', 'grpc-js'];
const DATABASES = ['postgresql', 'mariadb', 'mysql'] as const;
/** The oldest server and the other transport run what is about the wire and about batches. */
const WIRE = ['sending', 'batch', 'compression', 'connections'].map((name) => `test/contract/${name}`);
/** The programs that the page about 4.x moves, which say that they run on it. */
const ON_4X = 'test/contract/coming-from-4x.spec.ts';
/** What holds on RocketMQ-Rust; the guide says what does not. */
const ON_RUST = ['backpressure', 'batch', 'compression', 'connections', 'corrupt-messages', 'foreign-labels', 'oneway'];
/** What the gateway does in place of a proxy: order, leases, attempts, what is on its way. The rest depends little on the transport. */
const GATEWAY = [
  'foreign-delays',
  'foreign-dead-letters',
  'fifo',
  'leases',
  'lite',
  'lost-answers',
  'lost-answers-to-consumers',
  'receiving',
  'retries',
  'shutdown',
  'transactions',
];
/** What connections do that are lost, silent or hostile. What clients do above them depends little on the transport. */
const CONNECTIONS = ['half-open', 'hostile-servers', 'partly-away', 'pings', 'reconnect', 'several-addresses'].map(
  (name) => `test/client/${name}.long.spec.ts`,
);
const LONG = /\.long\.spec\.ts$/;
/** What takes longest runs with `full` only; other stages have other kills, races, faults, pages, databases and packages. */
export const LEFT_OUT = [
  'processes/shutdown',
  'docs/databases',
  'docs/testing',
  'observability/demos',
  'e2e/http',
  'e2e/live-steps',
  'e2e/page',
  'sql/purge',
  'sql/schedules',
  'launcher',
  'fault-points',
  'relays',
  'races',
  'server-races',
  'kills',
  'schedule-kills',
  'limit-kills',
  'request-scope-memory',
  'schema-inclusion',
  'packed-library',
  'memory-limit',
  'sql/record',
  'sql/cls',
  'sql/port-settings',
  'sql/ports-mysql',
  'runners',
  'docs/asyncapi',
  'order-flow-servers',
].map((name) => `/${name}.long.spec.ts`);
/** What is nearest to Node's own modules, for newer releases. */
const NEAR_NODE = ['broker/store', 'broker/services', 'client/wire', 'http2', 'support'].map(
  (room) => `libs/rocketmq/src/${room}/`,
);
/** The official clients of a commit. */
const CLIENTS = ['java', 'node,tools,mixed'];
const PACKED = 'archive,bare,playground,add-nest-12';

export function stagesOf(about: About): readonly Stage[] {
  const { full, seed, specs, has } = about;
  const long = specs.filter((path) => LONG.test(path) && (full || !LEFT_OUT.some((end) => path.endsWith(end))));
  const client = specs.filter((path) => path.startsWith('test/client/'));
  const nearNode = full ? [] : specs.filter((path) => NEAR_NODE.some((room) => path.startsWith(room)));
  const servers = DATABASES.filter((name) => has[name]);
  const ofOne = full ? [] : inTurn(seed, servers).flatMap((name) => ['--only', name]);
  const [outages = [], wear = []] = stagesInTurn(about).map((all) => (full ? all : inTurn(seed, all)));
  const gateway = GATEWAY.map((name) => `test/contract/${name}.spec.ts`);
  const byRemoting = [
    ...(full ? ['test/contract'] : gateway),
    'test/real/foreign-ids.spec.ts',
    'test/real/lite-topics.spec.ts',
  ];
  return [
    // What builds in the middle of a suite takes away what the others read.
    alone(script('codegen', 'codegen:check')),
    alone(script('build')),
    // It measures, for minutes in which nothing else may run, and finds no fault of behavior.
    ...(full ? [alone(sound('slower'))] : []),
    script('types', 'typecheck'),
    script('lint'),
    script('dead', 'lint:dead'),
    // Its cases are of seconds and deadlines in real time: beside other stages, on two cores, one in a thousand missed its own.
    alone(tests('tests-long', long)),
    // What takes longest begins first, so that what runs beside each other ends together.
    tests('tests', []),
    real('rocketmq', NEWEST, '--part', 'open'),
    cases('browser'),
    // What official clients see on a real server, this repository has no part in.
    // The clients by remoting, in Java, take as long as all others: frame by frame the suites have what they do.
    cases('interop', ...(full ? [] : ['--recorded', '--client', ...inTurn(seed, CLIENTS)])),
    full ? sound('simulation', '--long') : twoSimulations(seed, 15),
    real('rocketmq-remoting', NEWEST, '--part', 'open', '--transport', 'remoting', ...byRemoting),
    ...(full ? everyServer(has.cargo) : inTurn(seed, olderServers())),
    ...outages,
    cases('databases', '--transactions', full ? '3500' : '150', '--seed', String(seed), ...ofOne),
    cases('compose'),
    cases('pack', ...(full ? [] : ['--only', PACKED])),
    script('docs', 'docs:site'),
    // The store's specs, crash test and kills have what a folder does.
    ...(full ? [tests('tests-on-disk', ['test/contract'], { EMBEDDED_STORE: 'lmdb' })] : []),
    ...wear,
    tests('tests-grpc-js', full ? [...client, 'test/contract'] : [...CONNECTIONS, ...WIRE], {
      ROCKETMQ_TEST_TRANSPORT: 'grpc-js',
    }),
    ...(full ? [tests('tests-by-pull', ['test/contract'], BY_PULL)] : []),
    tests('tests-by-name-server', full ? ['test/contract'] : WIRE, { ROCKETMQ_TEST_TRANSPORT: 'remoting' }),
    ...(full ? [22, 24] : [24]).map((node) => ({ ...tests(`tests-node-${node}`, nearNode), node })),
    // It has so much time for each fault, and finds fewer beside others.
    ...(full ? [cases('http2'), cases('dockerfile'), alone(cases('mutations'))] : []),
    alone({ kind: 'same-contract', name: 'same-contract' }),
    // For what breaks: their figures fail nothing.
    ...(full ? [sound('load', '--quick'), sound('bench', '--quick')] : []),
  ];
}

/** Of each list a commit has one stage, and all with `full`. */
export function stagesInTurn({ full, seed, has }: About): readonly (readonly Stage[])[] {
  const databases = ['pglite', ...DATABASES.filter((name) => has[name])];
  const [oneDatabase = ''] = inTurn(seed, databases);
  // What takes several clusters to start and minutes of outages runs with `full` only.
  const restarts = full ? [] : ['test/restarts/restarts.spec.ts', 'test/restarts/slaves.spec.ts'];
  const forLong = full ? ['--long'] : [];
  return [
    [
      // Crash and simulation are about the embedded broker already.
      ...(full ? longChaos(databases) : [sound('chaos', '--backend', 'rocketmq', '--database', oneDatabase)]),
      real('alone', NEWEST, '--part', 'alone'),
      real('restarts', NEWEST, '--part', 'restarts', ...restarts),
    ],
    [
      sound('soak', ...forLong),
      sound('crash', ...forLong),
      sound('fuzz', ...forLong),
      real('secured', NEWEST, '--part', 'secured'),
    ],
  ];
}

function olderServers(): readonly Stage[] {
  const [older = ''] = OLDER;
  return [
    ...TRANSPORTS.map((transport) => real(`${older}-${transport}`, older, '--transport', transport, ...WIRE)),
    ...OF_4X.map((version) =>
      real(`${version}-remoting`, version, '--part', 'open', '--transport', 'remoting', ...WIRE, ON_4X),
    ),
  ];
}

/** The one of this commit; the next commits have the others. For stages that were not found to see anything of their own: README.md. */
function inTurn<T>(seed: number, all: readonly T[]): readonly T[] {
  return all.length === 0 ? [] : all.slice(seed % all.length).slice(0, 1);
}

function everyServer(hasCargo: boolean): readonly Stage[] {
  const byProxy = [
    [NEWEST, 'grpc-js'],
    ...OLDER.flatMap((version) => TRANSPORTS.map((transport) => [version, transport])),
  ] as const;
  const secured = [NEWEST, ...WITHOUT_PROXY, OLDEST, OF_4X[0] ?? ''];
  const rust = ON_RUST.map((name) => `test/contract/${name}`);
  return [
    ...byProxy.flatMap(([version = '', transport = '']) =>
      PARTS.map((part) => real(`${version}-${transport}-${part}`, version, '--transport', transport, '--part', part)),
    ),
    ...[...WITHOUT_PROXY, OLDEST, ...OF_4X].map((version) =>
      real(`${version}-remoting`, version, '--part', 'open', '--transport', 'remoting', 'test/contract'),
    ),
    // ACL 2.0, then ACL 1.0.
    ...secured.map((version) =>
      real(`${version}-secured-remoting`, version, '--part', 'secured', '--transport', 'remoting'),
    ),
    ...['alone', 'restarts'].map((part) => real(`${part}-remoting`, NEWEST, '--part', part, '--transport', 'remoting')),
    // It is built once.
    ...(hasCargo ? [real('rust-remoting', 'rust-1.0.0', '--part', 'open', '--transport', 'remoting', ...rust)] : []),
  ];
}

function longChaos(databases: readonly string[]): readonly Stage[] {
  return [
    sound('chaos', '--long'),
    ...databases.slice(1).map((database) => ({
      ...sound('chaos', '--backend', 'embedded', '--database', database, '--long'),
      name: `chaos-${database}`,
    })),
    cases('model', '--long'),
    ...['soak', 'chaos'].map((name) => ({ ...sound(name, '--transport', 'remoting'), name: `${name}-remoting` })),
    ...OF_4X.map((version) => ({
      ...sound('chaos', '--transport', 'remoting', '--version', version),
      name: `chaos-${version}`,
    })),
  ];
}

/** What seeds do does not depend on real time, so there is one process for each core. */
function twoSimulations(seed: number, count: number): Stage {
  const commands = [seed, seed + count].map((first) =>
    checkCommand('simulation', '--seed', String(first), '--seeds', String(count)),
  );
  return { kind: 'commands', name: 'simulation', commands };
}

function alone(stage: Stage): Stage {
  return { ...stage, isAlone: true };
}

function script(name: string, of = name): Stage {
  return { kind: 'commands', name, commands: [['npm', 'run', '--silent', of]] };
}

function tests(name: string, paths: readonly string[], env?: NodeJS.ProcessEnv): Stage & { readonly kind: 'suite' } {
  return { kind: 'suite', name, command: ['npm', 'test', '--silent', '--', ...paths], ...(env && { env }) };
}

/** Suites on a real server. */
function real(name: string, version: string, ...args: readonly string[]): Stage {
  return {
    kind: 'suite',
    name,
    command: ['npm', 'run', '--silent', 'test:rocketmq', '--', '--version', version, ...args],
  };
}

function cases(name: string, ...args: readonly string[]): Stage {
  return { kind: 'cases', name, command: checkCommand(name, ...args) };
}

/** A check that goes by chance: one that failed has found something, and does not run once more. */
function sound(name: string, ...args: readonly string[]): Stage {
  return { kind: 'commands', name, commands: [checkCommand(name, ...args)] };
}

function checkCommand(name: string, ...args: readonly string[]): Command {
  return ['npm', 'run', '--silent', 'check', '--', name, ...args];
}
