import { describe, expect, it } from '@jest/globals';
import { Code, DigestType, Message } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import { SystemClock } from '../support/clock.js';
import { silentLogger } from '../support/logger.js';
import { ConsumerReport } from './consumer-events.js';
import type { MessageHandler } from './handler-run.js';
import { ListenerSet, onlyListener } from './message-listener.js';
import { verifyMessage } from './verify-message.js';

const intact = Message.fromPartial({ body: Buffer.from('one'), systemProperties: { messageId: 'id-1' } });
const corrupt = Message.fromPartial({
  body: Buffer.from('one'),
  systemProperties: { messageId: 'id-1', bodyDigest: { type: DigestType.MD5, checksum: 'AB' } },
});

const verify = (message: Message | undefined, handler: MessageHandler) =>
  verifyMessage(
    { nonce: '7', message },
    {
      listeners: new ListenerSet([
        onlyListener('stock', handler, { concurrency: 1, handlerTimeoutMs: undefined, interceptors: [] }),
      ]),
      maxUnpackedBytes: 1_000,
      ioClock: new SystemClock(),
      report: new ConsumerReport({}, silentLogger, 'stock'),
      forceSignal: new AbortController().signal,
    },
  );

describe("the answer to an operator's direct consumption", () => {
  it('carries the nonce and says OK when the handler succeeds', async () => {
    const answer = await verify(intact, async () => {});
    expect(answer).toMatchObject({
      status: { code: Code.OK },
      command: { $case: 'verifyMessageResult', value: { nonce: '7' } },
    });
  });

  it('says that the message could not be consumed, and why, when the handler fails', async () => {
    const answer = await verify(intact, () => {
      throw new Error('no stock');
    });
    expect(answer.status).toEqual({ code: Code.FAILED_TO_CONSUME_MESSAGE, message: 'no stock' });
  });

  it('says that the body is corrupt without asking the handler', async () => {
    const seen: unknown[] = [];
    const answer = await verify(corrupt, (message) => seen.push(message));
    expect(answer.status?.code).toBe(Code.MESSAGE_CORRUPTED);
    expect(seen).toEqual([]);
  });

  it('refuses a command without a message', async () => {
    expect((await verify(undefined, () => {})).status?.code).toBe(Code.BAD_REQUEST);
  });
});
