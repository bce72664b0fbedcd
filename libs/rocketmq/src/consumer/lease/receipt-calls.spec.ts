import { describe, expect, it } from '@jest/globals';
import type { Client } from '../../client/client.js';
import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../../protocol/grpc/rpc.js';
import { type Receipt, ReceiptCalls } from './receipt-calls.js';

type Answer = RpcResponse<'ackMessage'>;

const status = (code: Code) => ({ code, message: 'scripted' });
const endpoint = { addresses: [{ host: '127.0.0.1', port: 1 }] };
const receipt = (messageId: string): Receipt => ({
  topic: 'orders',
  messageId,
  handle: `handle ${messageId}`,
  endpoint,
});

/** The results of acks of `a`, `b` and `c` when the server answers this, and the request. */
async function acked(answer: Answer): Promise<{ results: string[]; asked: string[] }> {
  const asked: string[] = [];
  const client = {
    connection: { namespace: '', requestTimeoutMs: 1_000 },
    unary: async (_endpoint: unknown, _rpc: string, { entries }: RpcRequest<'ackMessage'>) => {
      asked.push(...entries.map(({ messageId, receiptHandle }) => `${messageId}: ${receiptHandle}`));
      return answer;
    },
  } as unknown as Client;
  const calls = new ReceiptCalls(client, 'stock');
  const errors = await calls.ackTogether([receipt('a'), receipt('b'), receipt('c')]);
  return { results: errors.map((error) => (error as { code?: string } | undefined)?.code ?? 'acked'), asked };
}

const entry = (messageId: string, code: Code) => ({
  messageId,
  receiptHandle: 'another one',
  status: status(code),
});

describe('the answer to acks of several messages', () => {
  it('is matched by message id: batch acks are answered in another order and with other handles', async () => {
    const entries = [entry('c', Code.OK), entry('a', Code.INVALID_RECEIPT_HANDLE), entry('b', Code.OK)];
    expect(await acked({ status: status(Code.MULTIPLE_RESULTS), entries })).toEqual({
      results: ['INVALID_RECEIPT_HANDLE', 'acked', 'acked'],
      asked: ['a: handle a', 'b: handle b', 'c: handle c'],
    });
  });

  it('applies to all when it has no entries', async () => {
    for (const [code, result] of [
      [Code.OK, 'acked'],
      [Code.UNAUTHORIZED, 'UNAUTHORIZED'],
    ] as const) {
      expect((await acked({ status: status(code), entries: [] })).results).toEqual([result, result, result]);
    }
  });

  it('leaves the outcome of a message that it does not name unknown', async () => {
    const { results } = await acked({ status: status(Code.MULTIPLE_RESULTS), entries: [entry('a', Code.OK)] });
    expect(results).toEqual(['acked', 'MULTIPLE_RESULTS', 'MULTIPLE_RESULTS']);
  });
});
