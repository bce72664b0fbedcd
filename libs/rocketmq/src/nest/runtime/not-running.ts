// Why nothing can be sent now.

import { type RocketMQError, StateError, TransportError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { StartProblem } from '../operations/start-steps.js';

/** @param problem of a start that is not complete; undefined: the application has not started, or has ended */
export function notRunning(problem?: StartProblem): RocketMQError {
  if (problem === undefined) {
    const text =
      'the producer is not running; it starts with the application (app.init() or app.listen()) and ends with it; ' +
      'nothing was sent';
    return new StateError('NOT_RUNNING', text);
  }
  const { kind, error } = problem;
  const why =
    kind === 'away' ? 'no server could be reached since the start' : 'what is declared does not fit the server';
  const text = `the start is not complete, ${why}: ${describeError(error)}; nothing was sent. It is tried again all the time`;
  return new TransportError('UNAVAILABLE', text, 'not-sent', true, { cause: error });
}
