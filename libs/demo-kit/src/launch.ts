// The lifecycle of a demo process: it reports when it is ready, and shuts down on a signal or when its launcher has ended.

import { type INestApplication, Logger, type LoggerService } from '@nestjs/common';
import type { Environment } from './environment.js';
import { DemoLogger, logFormatOf } from './observability/demo-logger.js';
import type { MetricsSource } from './observability/metrics.controller.js';
import { spanTargetOf } from './observability/span-target.js';
import { startTelemetry, type Telemetry } from './observability/telemetry.js';

/** The launcher gives an app 2 s and the whole demo 3 s. */
const FORCED_EXIT_MS = 1_900;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Reads the options, starts log and telemetry, creates the application, listens and notifies the launcher (a message `{ ready, url }`
 * on the IPC channel). Shuts the process down on SIGINT, SIGTERM, SIGHUP and when the launcher has ended. If it cannot start, it
 * prints one line and exits with code 1.
 */
export async function launch<Options extends { readonly host: string; readonly port: number }>(
  name: string,
  env: Environment,
  readOptions: (env: Environment) => Options,
  create: (options: Options & { readonly metrics: MetricsSource }, logger: LoggerService) => Promise<INestApplication>,
): Promise<void> {
  let app: INestApplication | undefined;
  let telemetry: Telemetry | undefined;
  let isEnding = false;
  const end = async (exitCode: number): Promise<void> => {
    if (isEnding) return;
    isEnding = true;
    // Unref'd, so that it does not keep the process alive.
    setTimeout(() => process.exit(1), FORCED_EXIT_MS).unref();
    try {
      await app?.close();
      // After the last span, which belongs to the last message.
      await telemetry?.shutdown();
      process.exit(exitCode);
    } catch (error) {
      process.stderr.write(`${name} did not close cleanly: ${messageOf(error)}\n`);
      process.exit(1);
    }
  };
  for (const signal of SIGNALS) process.once(signal, () => void end(0));
  process.once('disconnect', () => void end(0));
  try {
    const options = readOptions(env);
    const logger = new DemoLogger(name, logFormatOf(env));
    // For lines that are logged before the application is created.
    Logger.overrideLogger(logger);
    telemetry = startTelemetry(name, spanTargetOf(env));
    app = await create({ ...options, metrics: telemetry.metrics }, logger);
    await app.listen(options.port, options.host);
    process.send?.({ ready: true, url: await app.getUrl() });
  } catch (error) {
    process.stderr.write(`${name} cannot start: ${describeStart(error)}\n`);
    await end(1);
  }
}

function describeStart(error: unknown): string {
  const { code, port } = error as { readonly code?: unknown; readonly port?: unknown };
  if (code === 'EADDRINUSE') return `port ${String(port)} is in use; choose another one with PORT`;
  return messageOf(error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
