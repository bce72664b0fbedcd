// An operator's "consume this message directly": runs the handler beside all order and leases, and tells how it ended.

import { Code } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand, VerifyMessageCommand } from '../protocol/generated/apache/rocketmq/v2/service.js';
import type { Clock } from '../support/clock.js';
import { StateError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import type { ConsumerReport } from './consumer-events.js';
import { runHandler } from './handler-run.js';
import { incomingMessage, unpackedMessage } from './incoming-message.js';
import type { ListenerSet } from './message-listener.js';

/** What the run needs of its consumer. */
export interface VerifyOptions {
  readonly listeners: Pick<ListenerSet, 'of'>;
  readonly maxUnpackedBytes: number;
  readonly ioClock: Clock;
  readonly report: ConsumerReport;
  readonly forceSignal: AbortSignal;
}

/** The answer to the command; never fails. Nothing is settled: the message in the broker is not touched by it. */
export async function verifyMessage(
  { nonce, message: wire }: VerifyMessageCommand,
  options: VerifyOptions,
): Promise<TelemetryCommand> {
  const answer = (code: Code, message: string): TelemetryCommand => ({
    status: { code, message },
    command: { $case: 'verifyMessageResult', value: { nonce } },
  });
  if (wire === undefined) return answer(Code.BAD_REQUEST, 'the command carries no message');
  const incoming = incomingMessage(wire);
  const { message, bodyProblem } = incoming.isPacked
    ? await unpackedMessage(incoming.message, options.maxUnpackedBytes)
    : incoming;
  if (bodyProblem !== undefined) return answer(Code.MESSAGE_CORRUPTED, bodyProblem);
  const { handler, handlerTimeoutMs } = options.listeners.of(message);
  const result = await runHandler(message, {
    handler,
    timeoutMs: handlerTimeoutMs,
    ioClock: options.ioClock,
    lostSignal: undefined,
    forceSignal: options.forceSignal,
    onIgnoredSignal: () => options.report.handlerIgnoredItsSignal(message),
  });
  if (result.kind === 'succeeded') return answer(Code.OK, 'OK');
  const closed = 'the consumer was closed';
  const failure = result.kind === 'failed' ? result.error : new StateError('CLOSED', closed);
  options.report.failedWithoutEffect(message, failure);
  return answer(Code.FAILED_TO_CONSUME_MESSAGE, result.kind === 'failed' ? describeError(failure) : closed);
}
