import { ConsoleLogger, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/** Runs a service on this machine until it is stopped. */
export async function serve(
  module: Type,
  name: string,
  port: number,
): Promise<void> {
  // If "npm start" was killed, perhaps already, there is no broker any more.
  const stop = () => process.kill(process.pid, 'SIGTERM');
  process.once('disconnect', stop);
  if (process.connected === false) stop();
  const logger = new ConsoleLogger({ prefix: name });
  const app = await NestFactory.create(module, { logger });
  // On Ctrl-C, running handlers finish before the process exits.
  app.enableShutdownHooks();
  try {
    await app.listen(process.env.PORT ?? port, '127.0.0.1');
  } catch (error) {
    const isInUse = (error as { code?: unknown }).code === 'EADDRINUSE';
    // "npm start" prints the address, so that any other port will do.
    if (!isInUse || process.send === undefined) throw error;
    logger.warn('Its port is in use: it listens on another one.');
    await app.listen(0, '127.0.0.1');
  }
  process.send?.(await app.getUrl());
}
