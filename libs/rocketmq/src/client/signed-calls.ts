// Applies credentials to calls: no call is sent before there are credentials, and a rejected call is retried once if the
// credentials have changed.

import type { CredentialsSource } from '../protocol/credentials/credentials.js';
import { Code, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcResponse } from '../protocol/grpc/rpc.js';
import { raceAbort } from '../support/abort.js';
import { type Abortable, signalOf } from '../support/abort-source.js';
import { withDeadline } from '../support/deadline.js';
import { TransportError } from '../support/errors.js';

interface CallLimits {
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: Abortable;
}

type OnAnswer = (answer: RpcResponse<'receiveMessage'>) => void;

/** Makes calls with the current credentials. */
export class SignedCalls {
  constructor(private readonly credentials: CredentialsSource) {}

  /** False when calls are not signed, so that there is nothing to wait for and nothing to retry. */
  get areSigned(): boolean {
    return this.credentials.areGiven;
  }

  /** Resolves when the first call can be made; undefined when there is nothing to wait for. */
  ready(signal?: Abortable): Promise<void> | undefined {
    const ready = this.credentials.ready();
    return ready && raceAbort(ready, signalOf(signal));
  }

  /** @param ask makes the call, signed with the credentials current at that time */
  async unary<T>(ask: () => Promise<T>, limits: CallLimits): Promise<T> {
    const ready = this.credentials.ready();
    if (ready !== undefined) await this.first(ready, limits);
    const { version } = this.credentials;
    const answer = await ask();
    // Every answer has a status, and a rejected call took no effect.
    if ((answer as { status?: Status }).status?.code !== Code.UNAUTHORIZED) return answer;
    return (await this.credentials.renew(version, signalOf(limits.signal))) ? ask() : answer;
  }

  /** @param ask as of {@link unary} */
  async receive(ask: (onAnswer: OnAnswer) => Promise<void>, onAnswer: OnAnswer, limits: CallLimits): Promise<void> {
    const ready = this.credentials.ready();
    if (ready !== undefined) await this.first(ready, limits);
    const { version } = this.credentials;
    let rejection: RpcResponse<'receiveMessage'> | undefined;
    await ask((answer) => {
      if (isUnauthorized(answer)) rejection = answer;
      else onAnswer(answer);
    });
    if (rejection === undefined) return;
    if (await this.credentials.renew(version, signalOf(limits.signal))) await ask(onAnswer);
    else onAnswer(rejection);
  }

  private async first(ready: Promise<void>, { what, timeoutMs, signal }: CallLimits): Promise<void> {
    await withDeadline(what, timeoutMs, signal, async (deadline) => {
      try {
        await raceAbort(ready, deadline.signal);
      } catch (error) {
        if (!deadline.hasPassed) throw error;
        const message = `${what}: the credentials provider did not return within ${timeoutMs} ms; nothing was sent`;
        throw new TransportError('CREDENTIALS_UNAVAILABLE', message, 'not-sent', true);
      }
    });
  }
}

function isUnauthorized({ content }: RpcResponse<'receiveMessage'>): boolean {
  return content?.$case === 'status' && content.value.code === Code.UNAUTHORIZED;
}
