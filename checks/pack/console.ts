// The console: what its archive holds, and what works where nothing but the two archives is installed.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { visitConsole } from '../../tools/console-visit.js';
import { Command } from './command.js';
import { npmInstall } from './npm-install.js';
import { script } from './peers.js';

const MAX_GZIPPED_BYTES = 60 * 1024;
/** The installed library, by npx. */
const LIBRARY = ['npx', '--no-install', 'nestjs-rocketmq'];
/** Names of XML, which nobody loads. */
const NAMESPACES = ['http://www.w3.org/1998/Math/MathML', 'http://www.w3.org/1999/xhtml', 'http://www.w3.org/2000/svg'];
const URL_OF_A_HOST = /(?:\b(?:https?|wss?):)?\/\/[\w-]+(?:\.[\w-]+)+[\w/.-]*/gi;

interface Step {
  name: string;
  run: () => unknown;
}

/**
 * @param library the unpacked library
 * @param unpacked the unpacked console
 */
export function consoleArchiveChecks(library: string, unpacked: string): Step[] {
  const web = join(unpacked, 'dist/web');
  const pages = () => readdirSync(web).map((name) => ({ name, bytes: readFileSync(join(web, name)) }));
  const name = 'archive of the console';
  return [
    {
      name: `${name}: a license, a readme, what was built, and nothing to install with it`,
      run: () => {
        same(readdirSync(unpacked).sort(), ['LICENSE', 'README.md', 'dist', 'package.json']);
        same(packageOf(unpacked).dependencies, undefined);
      },
    },
    {
      name: `${name}: its version is that of the library, which it asks for`,
      run: () => {
        const { version, peerDependencies } = packageOf(unpacked);
        same([version, peerDependencies['nestjs-rocketmq']], [packageOf(library).version, `^${version}`]);
      },
    },
    {
      name: `${name}: its pages load nothing from another host`,
      run: () => {
        const named = pages().flatMap(({ name, bytes }) =>
          (bytes.toString('utf8').match(URL_OF_A_HOST) ?? []).map((url) => ({ name, url })),
        );
        same(
          named.filter(({ url }) => !NAMESPACES.includes(url)),
          [],
        );
      },
    },
    {
      name: `${name}: its pages keep their budget`,
      run: () => {
        const sizes = pages().map(({ bytes }) => gzipSync(bytes).length);
        const bytes = sizes.reduce((sum, size) => sum + size, 0);
        if (sizes.length < 3 || bytes > MAX_GZIPPED_BYTES)
          throw new Error(`${sizes.length} files, ${bytes} bytes gzipped; the budget is ${MAX_GZIPPED_BYTES}`);
      },
    },
  ];
}

/** A project that names the two archives alone: npm finds the rest by their peer dependencies. */
export async function installConsole(archives: { library: string; console: string }, folder: string): Promise<string> {
  const home = join(folder, 'console');
  await npmInstall(home, 'console', {
    'nestjs-rocketmq': `file:${archives.library}`,
    'nestjs-rocketmq-console': `file:${archives.console}`,
  });
  return home;
}

export function consoleChecks(home: string): Step[] {
  return [
    ...['esm', 'cjs'].map((format) => ({
      name: `console ${format}: both entries load`,
      run: () =>
        script(
          home,
          format,
          `const { RocketMQConsoleModule } = await load('nestjs-rocketmq-console');
           const { startStandaloneConsole } = await load('nestjs-rocketmq-console/standalone');
           RocketMQConsoleModule.forRoot({ path: 'queues' });
           if (typeof startStandaloneConsole !== 'function') throw new Error('it is no function');`,
        ),
    })),
    { name: 'console: npx nestjs-rocketmq console shows a broker', run: () => openByCommand(home) },
  ];
}

async function openByCommand(home: string): Promise<void> {
  const broker = new Command(home, [
    ...LIBRARY,
    'broker',
    '--port',
    '0',
    '--name-server-port',
    '0',
    '--topic',
    'orders',
  ]);
  try {
    const nameServer = await broker.printed(/^clients by remoting .*: name server (\S+)$/m);
    const beside = new Command(home, [...LIBRARY, 'console', '--name-server', nameServer]);
    try {
      const ask = await visitConsole(await beside.printed(/^console on (\S+)$/m));
      const { topics }: { topics: { topic: string }[] } = await ask('/topics');
      same(
        topics.map(({ topic }) => topic),
        ['orders'],
      );
    } finally {
      await beside.stop();
    }
  } finally {
    await broker.stop();
  }
}

function packageOf(folder: string) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

function same(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  throw new Error(`it is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}
