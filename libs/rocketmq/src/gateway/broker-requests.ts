// What brokers ask of a client: to check a transaction, to handle one message for an operator, to report on itself.

import { Code, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from '../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { decodeStoredMessages } from '../protocol/remoting/stored-message.js';
import { offsetTableIn } from '../remoting/answers.js';
import type { RemotingConnection } from '../remoting/remoting-connection.js';
import { describeError, type Logger } from '../support/logger.js';
import { wireMessageOf } from './message-properties.js';
import type { PullConsumer } from './pull/pull-consumer.js';
import type { HalfMessages } from './transactions.js';

type Command = NonNullable<TelemetryCommand['command']>;

/** Passes a command to the client; false when nobody takes it. */
type Push = (command: TelemetryCommand) => boolean;

/** A request of a broker that waits for the client's answer. The broker gives it up after some seconds. */
interface RelayedRequest {
  readonly request: RemotingFrame;
  readonly connection: RemotingConnection;
}

const MAX_UNANSWERED = 100;

/** The requests of brokers to one client. */
export class BrokerRequests {
  private readonly unanswered = new Map<string, RelayedRequest>();
  private nonces = 0;

  constructor(
    private readonly halfMessages: HalfMessages,
    private readonly logger: Logger,
    private readonly pulled: Pick<PullConsumer, 'balanceSoon' | 'moveTo'>,
    /** What a client says of itself to the broker at an address. */
    private readonly runningInfo: (address: string, report: string) => string,
  ) {}

  /** @param push to the session with the broker */
  take(request: RemotingFrame, connection: RemotingConnection, push: Push): void {
    try {
      if (!this.handle(request, connection, push)) decline(request, connection);
    } catch (error) {
      const { address } = connection;
      this.logger.warn('a request of a broker cannot be read', {
        address,
        code: request.code,
        error: describeError(error),
      });
      decline(request, connection);
    }
  }

  /** Takes what the client writes to its session beside settings. */
  answer({ command, status }: TelemetryCommand): void {
    if (command?.$case !== 'verifyMessageResult' && command?.$case !== 'threadStackTrace') return;
    const relayed = this.unanswered.get(command.value.nonce);
    this.unanswered.delete(command.value.nonce);
    if (relayed === undefined) return;
    const { request, connection } = relayed;
    const body =
      command.$case === 'verifyMessageResult'
        ? JSON.stringify(verification(status))
        : this.runningInfo(connection.address, command.value.threadStackTrace ?? '');
    connection.reply(request, { code: RESPONSE_CODES.success, body: Buffer.from(body) });
  }

  private handle(request: RemotingFrame, connection: RemotingConnection, push: Push): boolean {
    switch (request.code) {
      case REQUEST_CODES.checkTransactionState: {
        const check = this.halfMessages.checkIn(request, connection);
        return check !== undefined && push({ command: { $case: 'recoverOrphanedTransactionCommand', value: check } });
      }
      case REQUEST_CODES.notifyConsumerIdsChanged:
        this.pulled.balanceSoon();
        return true;
      case REQUEST_CODES.resetConsumerClientOffset:
        for (const position of offsetTableIn(request)) this.pulled.moveTo(position, position.offset);
        return true;
      case REQUEST_CODES.consumeMessageDirectly: {
        const [stored] = decodeStoredMessages(request.body);
        if (stored === undefined) return false;
        const popped = { receiptHandle: undefined, deliveryAttempt: stored.reconsumeTimes + 1 };
        const message = wireMessageOf(stored, { topic: stored.topic, ...popped });
        return this.ask(request, connection, push, (nonce) => {
          return { $case: 'verifyMessageCommand', value: { nonce, message } };
        });
      }
      case REQUEST_CODES.notifyUnsubscribeLite: {
        const { liteTopic = '' } = request.fields;
        return push({ command: { $case: 'notifyUnsubscribeLiteCommand', value: { liteTopic } } });
      }
      case REQUEST_CODES.getConsumerRunningInfo:
        return this.ask(request, connection, push, (nonce) => {
          return { $case: 'printThreadStackTraceCommand', value: { nonce } };
        });
      default:
        return false;
    }
  }

  private declineOldest(): void {
    for (const [nonce, { request, connection }] of this.unanswered) {
      this.unanswered.delete(nonce);
      decline(request, connection);
      return;
    }
  }

  private ask(
    request: RemotingFrame,
    connection: RemotingConnection,
    push: Push,
    command: (nonce: string) => Command,
  ): boolean {
    if (this.unanswered.size >= MAX_UNANSWERED) this.declineOldest();
    const nonce = String(++this.nonces);
    this.unanswered.set(nonce, { request, connection });
    if (push({ command: command(nonce) })) return true;
    this.unanswered.delete(nonce);
    return false;
  }
}

function decline(request: RemotingFrame, connection: RemotingConnection): void {
  if (request.isOneWay || request.code === REQUEST_CODES.checkTransactionState) return;
  const remark = `request type ${request.code} is not supported`;
  connection.reply(request, { code: RESPONSE_CODES.requestCodeNotSupported, remark });
}

/** @see ConsumeMessageDirectlyResult of the server */
function verification(status: Status | undefined): object {
  const isDone = status?.code === Code.OK;
  return {
    order: false,
    autoCommit: true,
    consumeResult: isDone ? 'CR_SUCCESS' : 'CR_LATER',
    remark: status?.message ?? '',
    spentTimeMills: 0,
  };
}
