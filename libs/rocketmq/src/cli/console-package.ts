// Loads the package that has the console. It is not a dependency: most processes need no pages.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import type { ControlClient } from '../broker/control/control-client.js';
import type { Connection } from '../client/connection.js';
import type { ImportModule } from './command.js';

/** What the commands use of `nestjs-rocketmq-console/standalone`. */
export interface ConsolePackage {
  startStandaloneConsole(
    source: {
      readonly admin: RocketMQAdmin;
      readonly control?: ControlClient;
      readonly connection?: Connection;
      readonly title?: string;
      readonly log?: (line: string) => void;
      readonly another?: string;
    },
    options: {
      readonly host?: string;
      readonly port?: number;
      readonly actions?: 'all' | readonly string[];
      readonly bodies?: 'hidden' | 'shown';
      readonly operationsTopic?: string;
    },
  ): Promise<{ readonly url: string; close(): Promise<void> }>;
}

const NAME = 'nestjs-rocketmq-console';
const NOT_FOUND: readonly unknown[] = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];

/** @throws Error that names the command which installs it */
export async function consolePackage(folder: string, importModule: ImportModule): Promise<ConsolePackage> {
  const entry = `${NAME}/standalone`;
  try {
    return (await importModule(entry)) as ConsolePackage;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    // For this command installed elsewhere, by npx or globally: the package is beside the application.
    return createRequire(join(folder, 'package.json'))(entry) as ConsolePackage;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  throw new Error(
    `the console is a package of its own, which is not installed here; install it with: npm install -D ${NAME}`,
  );
}

/** Not for a file that the package itself lacks. */
function isMissing(error: unknown): boolean {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return NOT_FOUND.includes(code) && String(message).includes(NAME);
}
