import { describe, expect, it } from '@jest/globals';
import { Code, DigestType, Message } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { SystemClock } from '../../support/clock.js';
import { commandLine } from '../../support/command-line.js';
import { silentLogger } from '../../support/logger.js';
import { ListenerSet, onlyListener } from '../listeners/message-listener.js';
import { ConsumerReporter } from '../model/consumer-events.js';
import type { MessageHandler } from '../model/handler.js';
import { Verification } from './verify-message.js';

const intact = Message.fromPartial({ body: Buffer.from('one'), systemProperties: { messageId: 'id-1' } });
const corrupt = Message.fromPartial({
  body: Buffer.from('one'),
  systemProperties: { messageId: 'id-1', bodyDigest: { type: DigestType.MD5, checksum: 'AB' } },
});

const verificationWith = (handler: MessageHandler) =>
  new Verification(
    {
      ioClock: new SystemClock(),
      report: new ConsumerReporter({}, { logger: silentLogger, command: commandLine }, 'stock'),
    },
    {
      listeners: new ListenerSet([
        onlyListener('stock', handler, { concurrency: 1, handlerTimeoutMs: undefined, interceptors: [] }),
      ]),
      maxUnpackedBytes: 1_000,
      forceSignal: new AbortController().signal,
    },
  );

const verify = (message: Message | undefined, handler: MessageHandler) =>
  verificationWith(handler).verify({ nonce: '7', message });

describe("the answer to an operator's direct consumption", () => {
  it('contains the nonce and OK when the handler succeeds', async () => {
    const answer = await verify(intact, async () => {});
    expect(answer).toMatchObject({
      status: { code: Code.OK },
      command: { $case: 'verifyMessageResult', value: { nonce: '7' } },
    });
  });

  it('runs few handlers at once, and rejects more', async () => {
    let [running, most] = [0, 0];
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const verification = verificationWith(async () => {
      most = Math.max(most, ++running);
      await opened;
    });
    const answers = Array.from({ length: 100 }, (_, index) =>
      verification.verify({ nonce: String(index), message: intact }),
    );
    const rejected = await Promise.all(answers.slice(4));
    expect(new Set(rejected.map(({ status }) => status?.code))).toEqual(new Set([Code.TOO_MANY_REQUESTS]));
    open();
    const run = await Promise.all(answers.slice(0, 4));
    expect(run.map(({ status }) => status?.code)).toEqual(Array(4).fill(Code.OK));
    expect(most).toBe(4);
  });

  it('reports that the message could not be consumed, and why, when the handler fails', async () => {
    const answer = await verify(intact, () => {
      throw new Error('no stock');
    });
    expect(answer.status).toEqual({ code: Code.FAILED_TO_CONSUME_MESSAGE, message: 'no stock' });
  });

  it('reports a corrupt body without calling the handler', async () => {
    const seen: unknown[] = [];
    const answer = await verify(corrupt, (message) => seen.push(message));
    expect(answer.status?.code).toBe(Code.MESSAGE_CORRUPTED);
    expect(seen).toEqual([]);
  });

  it('rejects a command without a message', async () => {
    expect((await verify(undefined, () => {})).status?.code).toBe(Code.BAD_REQUEST);
  });
});
