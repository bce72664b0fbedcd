// What the credentials mean for calls: none goes out before there are some, and one that was refused goes out once more when
// there are others by now.

import type { CredentialsSource } from '../protocol/credentials/credentials.js';
import { Code, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcResponse } from '../protocol/grpc/rpc.js';
import { raceAbort } from '../support/abort.js';
import { withDeadline } from '../support/deadline.js';
import { TransportError } from '../support/errors.js';

interface CallLimits {
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

type OnAnswer = (answer: RpcResponse<'receiveMessage'>) => void;

/** Makes calls under the credentials of now. */
export class SignedCalls {
  constructor(private readonly credentials: CredentialsSource) {}

  /** False when nothing is signed: then there is nothing to wait for and nothing to repeat. */
  get areSigned(): boolean {
    return this.credentials.areGiven;
  }

  /** What to wait for before the first call; undefined when there is nothing to wait for. */
  ready(signal?: AbortSignal): Promise<void> | undefined {
    const ready = this.credentials.ready();
    return ready && raceAbort(ready, signal);
  }

  /** @param ask makes the call, signed with the credentials of that moment */
  async unary<T>(ask: () => Promise<T>, limits: CallLimits): Promise<T> {
    const ready = this.credentials.ready();
    if (ready !== undefined) await this.first(ready, limits);
    const { version } = this.credentials;
    const answer = await ask();
    // Whatever the call was, its answer has a status; a refused one took no effect.
    if ((answer as { status?: Status }).status?.code !== Code.UNAUTHORIZED) return answer;
    return (await this.credentials.renew(version, limits.signal)) ? ask() : answer;
  }

  /** @param ask as of {@link unary} */
  async receive(ask: (onAnswer: OnAnswer) => Promise<void>, onAnswer: OnAnswer, limits: CallLimits): Promise<void> {
    const ready = this.credentials.ready();
    if (ready !== undefined) await this.first(ready, limits);
    const { version } = this.credentials;
    let refusal: RpcResponse<'receiveMessage'> | undefined;
    await ask((answer) => {
      if (isUnauthorized(answer)) refusal = answer;
      else onAnswer(answer);
    });
    if (refusal === undefined) return;
    if (await this.credentials.renew(version, limits.signal)) await ask(onAnswer);
    else onAnswer(refusal);
  }

  private async first(ready: Promise<void>, { what, timeoutMs, signal }: CallLimits): Promise<void> {
    await withDeadline(what, timeoutMs, signal, async (deadline) => {
      try {
        await raceAbort(ready, deadline.signal);
      } catch (error) {
        if (!deadline.hasPassed) throw error;
        const message = `${what}: the provider of credentials did not answer within ${timeoutMs} ms; nothing was sent`;
        throw new TransportError('CREDENTIALS_UNAVAILABLE', message, 'not-sent', true);
      }
    });
  }
}

function isUnauthorized({ content }: RpcResponse<'receiveMessage'>): boolean {
  return content?.$case === 'status' && content.value.code === Code.UNAUTHORIZED;
}
