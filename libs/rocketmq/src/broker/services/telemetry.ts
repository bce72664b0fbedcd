// The telemetry stream: receives settings, returns them, and sends commands to the client.

import { ClientType, Code, type Settings } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from '../../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { sleep } from '../../support/clock.js';
import { describeError } from '../../support/logger.js';
import { Rejection } from '../engine/rejection.js';
import type { GroupRecord } from '../store/records.js';
import type { BrokerContext } from './broker-context.js';
import type { CallContext } from './call-context.js';
import type { FaultAction } from './faults.js';
import { assertBound, type LiteSubscriptions } from './lite-subscriptions.js';
import { isConsumer, isLiteConsumer, type Push } from './sessions.js';
import { consumerSettings, producerSettings } from './settings.js';
import { AnswerError, OK } from './status.js';
import { groupName, topicName } from './validation.js';

/** The gRPC statuses with which a telemetry stream can fail. All other errors of the protocol are in responses. */
type StreamFailure = 'invalidArgument' | 'internal' | 'unavailable';

/** The stream of one client. */
interface TelemetryStream {
  send(command: TelemetryCommand): void;
  end(): void;
  fail(failure: StreamFailure, message: string): void;
  /** Aborts when the stream has ended, on either side. */
  readonly signal: AbortSignal;
  /** The address of the client, as `host:port`. */
  readonly remoteAddress: string;
}

/** The languages that the real server knows (remoting `LanguageCode`). */
const LANGUAGES: ReadonlySet<string> = new Set(
  'JAVA CPP DOTNET PYTHON DELPHI ERLANG RUBY OTHER HTTP GO PHP OMS RUST NODE_JS'.split(' '),
);

/** Handles telemetry commands. */
export class Telemetry {
  constructor(
    private readonly broker: BrokerContext,
    private readonly lite: LiteSubscriptions,
  ) {}

  /** @returns the handler of the client's commands */
  open(stream: TelemetryStream, context: CallContext): (command: TelemetryCommand) => Promise<void> {
    const push: Push = (command) => stream.send(command);
    const { sessions } = this.broker;
    const onEnd = (): void => {
      if (sessions.streamEnded(context.clientId, push)) this.lite.forget(context.clientId);
    };
    stream.signal.addEventListener('abort', onEnd, { once: true });
    return async (message) => {
      const { command } = message;
      if (command?.$case === 'threadStackTrace') {
        sessions.commands.answered(context.clientId, command.value.nonce, message);
      }
      // Other commands are responses of clients to commands that this broker does not send.
      if (command?.$case !== 'settings') return;
      const end = this.broker.activity.begin('settings', context.clientId);
      try {
        await this.takeSettings(command.value, context, stream, push);
      } catch (error) {
        fail(stream, error);
      } finally {
        end();
      }
    };
  }

  private async takeSettings(
    settings: Settings,
    context: CallContext,
    stream: TelemetryStream,
    push: Push,
  ): Promise<void> {
    const fault = this.broker.faults.take('telemetry', context.clientId);
    if (fault !== undefined && !(await this.applyFault(fault, context, stream))) return;
    if (stream.signal.aborted) return;
    if (!LANGUAGES.has(context.language)) {
      const constant = `org.apache.rocketmq.remoting.protocol.LanguageCode.${context.language}`;
      throw new Error(`No enum constant ${constant}`);
    }
    const answer = this.answerTo(settings);
    const { language, user } = context;
    this.broker.sessions.register(context.clientId, answer, push, { language, address: stream.remoteAddress, user });
    if (fault?.kind !== 'dropResponse') stream.send({ status: OK, command: { $case: 'settings', value: answer } });
  }

  private answerTo(settings: Settings): Settings {
    const { pubSub, clientType } = settings;
    if (pubSub === undefined) {
      throw new AnswerError(Code.BAD_REQUEST, 'there is no publishing or subscription data in settings');
    }
    if (pubSub.$case === 'publishing') {
      for (const topic of pubSub.value.topics) topicName(topic);
      return producerSettings(settings);
    }
    if (!isConsumer({ settings })) {
      const type = ClientType[clientType ?? ClientType.CLIENT_TYPE_UNSPECIFIED] ?? 'UNRECOGNIZED';
      throw new Error(`Client type is not consumer, type: ${type}`);
    }
    const name = groupName(pubSub.value.group);
    const topics = pubSub.value.subscriptions.map(({ topic }) => topicName(topic));
    const group = this.broker.engine.group(name, pubSub.value.fifo === true);
    assertMode(group, isLiteConsumer({ settings }), topics);
    return consumerSettings(settings, group);
  }

  /** @returns whether the command must still be handled */
  private async applyFault(fault: FaultAction, context: CallContext, stream: TelemetryStream): Promise<boolean> {
    switch (fault.kind) {
      case 'answer':
        stream.send({ status: { code: Code[fault.code], message: fault.message ?? 'scripted fault' } });
        stream.end();
        return false;
      case 'cutStreams':
        this.broker.faults.cutStreams(context.clientId);
        return false;
      case 'loseSettings':
        this.broker.faults.loseSettings(context.clientId);
        return true;
      case 'delay':
        await sleep(this.broker.realClock, fault.delayMs, stream.signal).catch(() => {});
        return true;
      case 'dropResponse':
        return true;
    }
  }
}

/** @throws AnswerError for a group that is not of the kind of its consumer, or is bound to another topic */
function assertMode(group: GroupRecord, isLite: boolean, [topic]: readonly string[]): void {
  const { name, lite } = group;
  if (isLite && lite === undefined) {
    throw new AnswerError(Code.ILLEGAL_CONSUMER_GROUP, `regular group cannot use LITE mode: ${name}`);
  }
  if (!isLite && lite !== undefined) {
    throw new AnswerError(Code.ILLEGAL_CONSUMER_GROUP, `lite group must use LITE mode: ${name}`);
  }
  if (isLite && topic !== undefined) assertBound(group, topic);
}

/** Errors of telemetry are gRPC statuses: INVALID_ARGUMENT for invalid commands, INTERNAL for the rest (PROTOCOL 2). */
function fail(stream: TelemetryStream, error: unknown): void {
  if (error instanceof Rejection && error.reason === 'store-full') {
    // Of this broker only, and what its other calls answer then.
    stream.send({ status: { code: Code.TOO_MANY_REQUESTS, message: error.message } });
    stream.end();
    return;
  }
  const isClients = error instanceof AnswerError || error instanceof Rejection;
  // The real server omits the prefix only for settings without content.
  const hasNoPrefix = error instanceof AnswerError && error.answer === Code.BAD_REQUEST;
  const message = hasNoPrefix ? error.message : `process client telemetryCommand failed. ${describeError(error)}`;
  stream.fail(isClients ? 'invalidArgument' : 'internal', message);
}
