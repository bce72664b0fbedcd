// Which part of a demo a function belongs to, for a profile by part.

/** In the order of the report. `library` is the sum of its entries. */
export const PARTS = [
  'HTTP',
  'Nest',
  'business',
  'database',
  'library',
  'library: sql',
  'library: nest',
  'library: client',
  'library: client: socket writes',
  'telemetry',
  'garbage collector',
  'Node.js',
];

/** Packages that do the work of a part; what another package does belongs to the part that called it. */
const PACKAGES = {
  HTTP: /^(express|router|body-parser|raw-body|finalhandler|send|qs|on-finished|accepts|cors)$/,
  Nest: /^(@nestjs\/.+|rxjs|class-validator|class-transformer|reflect-metadata|iterare|validator)$/,
  database: /^(pg|pg-pool|pg-protocol|pg-types|postgres-.+|kysely|@electric-sql\/pglite)$/,
  telemetry: /^@opentelemetry\//,
};

/** The demos' own files, and those of the library, whose entries are files with their names. */
const FILES = {
  business: /\/(apps|libs\/demo-kit|libs\/console)\//,
  'library: sql': /\/libs\/rocketmq\/dist\/\w+\/sql\b/,
  'library: nest': /\/libs\/rocketmq\/dist\/\w+\/nest\b/,
  telemetry: /\/libs\/rocketmq\/dist\/\w+\/opentelemetry\b/,
  'library: client': /\/libs\/rocketmq\//,
};

/** HTTP/2 is spoken only with the broker, HTTP/1.1 only with customers. */
const NODE = {
  'library: client': /^node:(internal\/)?http2\b/,
  HTTP: /^node:(_http_|http$|internal\/http$)/,
  'Node.js': /^node:internal\/process\/task_queues$/,
};

const PACKAGE = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** @returns undefined for what belongs to its caller */
export function partOf({ functionName, url }: { functionName: string; url: string }): string | undefined {
  if (functionName === '(garbage collector)') return 'garbage collector';
  if (functionName === '(program)') return 'Node.js';
  if (url.startsWith('node:')) return matching(NODE, url);
  const name = PACKAGE.exec(url)?.[1];
  return name === undefined ? matching(FILES, url) : matching(PACKAGES, name);
}

/** Node.js's own functions that end in a system call, which no caller can make cheaper. */
const SOCKET_WRITES = /^write(v|Buffer|\w+String)$/;

export function detailOf({ functionName, url }: { functionName: string; url: string }) {
  return url === '' && SOCKET_WRITES.test(functionName) ? 'socket writes' : undefined;
}

function matching(parts: Readonly<Record<string, RegExp>>, text: string) {
  return Object.entries(parts).find(([, pattern]) => pattern.test(text))?.[0];
}
