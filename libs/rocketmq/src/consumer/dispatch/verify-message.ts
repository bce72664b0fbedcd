// An operator's "consume this message directly": runs the handler regardless of order and leases, and reports the result.

import { Code, type Message as WireMessage } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type {
  TelemetryCommand,
  VerifyMessageCommand,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { runHandler } from '../listeners/handler-run.js';
import type { ListenerSet } from '../listeners/message-listener.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import { incomingMessage, unpackedMessage } from '../receive/incoming-message.js';

/** How a message is verified. */
interface VerifyOptions {
  readonly listeners: Pick<ListenerSet, 'of'>;
  readonly maxUnpackedBytes: number;
  readonly forceSignal: AbortSignal;
}

/** The handler runs for verified messages, in addition to those for the consumer's own messages. */
const MAX_AT_ONCE = 4;

/** Runs handlers for an operator, few at once. */
export class Verification {
  private running = 0;

  constructor(
    private readonly context: Pick<ConsumerContext, 'ioClock' | 'report'>,
    private readonly options: VerifyOptions,
  ) {}

  /** The answer to the command; never rejects. Nothing is settled: the message on the broker is not affected. */
  async verify({ nonce, message: wire }: VerifyMessageCommand): Promise<TelemetryCommand> {
    const answer = (code: Code, message: string): TelemetryCommand => ({
      status: { code, message },
      command: { $case: 'verifyMessageResult', value: { nonce } },
    });
    if (wire === undefined) return answer(Code.BAD_REQUEST, 'the command carries no message');
    if (this.running >= MAX_AT_ONCE) {
      return answer(
        Code.TOO_MANY_REQUESTS,
        `the handler is already running for ${MAX_AT_ONCE} such commands; try again later`,
      );
    }
    this.running++;
    try {
      const { code, text } = await this.run(wire);
      return answer(code, text);
    } catch (error) {
      return answer(Code.FAILED_TO_CONSUME_MESSAGE, describeError(error));
    } finally {
      this.running--;
    }
  }

  private async run(wire: WireMessage): Promise<{ readonly code: Code; readonly text: string }> {
    const { listeners, maxUnpackedBytes, forceSignal } = this.options;
    const { ioClock, report } = this.context;
    const incoming = incomingMessage(wire);
    const { message, bodyProblem } = incoming.isPacked
      ? await unpackedMessage(incoming.message, maxUnpackedBytes)
      : incoming;
    if (bodyProblem !== undefined) return { code: Code.MESSAGE_CORRUPTED, text: bodyProblem };
    const { handler, handlerTimeoutMs } = listeners.of(message);
    const result = await runHandler(message, {
      handler,
      timeoutMs: handlerTimeoutMs,
      ioClock,
      lostSignal: undefined,
      forceSignal,
      onIgnoredSignal: () => report.handlerIgnoredItsSignal(message),
    });
    if (result.kind === 'succeeded') return { code: Code.OK, text: 'OK' };
    const closed = 'the consumer was closed';
    const failure = result.kind === 'failed' ? result.error : new StateError('CLOSED', closed);
    report.failedWithoutEffect(message, failure);
    return { code: Code.FAILED_TO_CONSUME_MESSAGE, text: result.kind === 'failed' ? describeError(failure) : closed };
  }
}
