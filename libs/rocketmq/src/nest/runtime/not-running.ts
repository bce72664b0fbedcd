// Why nothing can be sent now.

import { type RocketMQError, StateError, TransportError } from '../../support/errors.js';
import { describeError, describeOnOneLine, type Logger } from '../../support/logger.js';
import type { StartProblem } from '../health/start-steps.js';

/** @param problem why the startup is incomplete; undefined: the application has not started, or has shut down */
export function notRunning(problem?: StartProblem): RocketMQError {
  if (problem === undefined) {
    const text =
      'the producer is not running; it starts and shuts down with the application (app.init() or app.listen()); ' +
      'nothing was sent';
    return new StateError('NOT_RUNNING', text);
  }
  const { kind, error } = problem;
  const why = kind === 'away' ? 'no server could be reached' : 'the declared topics and groups do not fit the server';
  const text = `the startup is not complete, ${why}: ${describeOnOneLine(error)}; nothing was sent. The startup is retried in the background`;
  return new TransportError('UNAVAILABLE', text, 'not-sent', true, { cause: error });
}

/** Node prints an error that no application catches among lines of this package's code; the log says it alone. @throws as the start */
export async function loggingFailure(
  logger: Logger,
  start: () => Promise<void>,
  what: 'application' | 'microservice' = 'application',
): Promise<void> {
  try {
    await start();
  } catch (error) {
    logger.error(`the ${what} did not start: ${describeOnOneLine(error)}`);
    throw error;
  }
}

/** Why a connection whose start has failed does nothing: its parts are closed, and Nest's providers are created once. */
export function startFailed(cause: unknown): StateError {
  const text =
    `the start of the application failed before (${describeError(cause)}), and everything was closed; nothing was sent; ` +
    'create the application again (NestFactory.create), or end the process';
  return new StateError('CLOSED', text, { cause });
}
