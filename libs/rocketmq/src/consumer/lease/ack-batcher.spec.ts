import { describe, expect, it } from '@jest/globals';
import { AckBatcher } from './ack-batcher.js';
import type { AckGroup, Receipt } from './receipt-calls.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function receipt(messageId: string, { topic = 'orders', port = 1, handle = `handle of ${messageId}` } = {}): Receipt {
  return { topic, messageId, handle, endpoint: { addresses: [{ host: '127.0.0.1', port }] } };
}

/** A batcher whose requests wait to be answered by the spec. */
function batcher(batchSize = 3) {
  const requests: {
    ids: string[];
    answer(...errors: (Error | undefined)[]): Promise<void>;
    fail(error: Error): void;
  }[] = [];
  const request = (receipts: AckGroup): Promise<(Error | undefined)[]> =>
    new Promise((resolve, reject) => {
      const answer = (...errors: (Error | undefined)[]): Promise<void> => {
        resolve(receipts.map((_, index) => errors[index]));
        return turn();
      };
      requests.push({ ids: receipts.map(({ messageId }) => messageId), answer, fail: reject });
    });
  return { acks: new AckBatcher(request, batchSize), requests, ids: () => requests.map(({ ids }) => ids.join(' ')) };
}

/** A description of the result of an ack. */
function end(acks: AckBatcher, id: string): Promise<string> {
  return new Promise((resolve) => {
    acks.ack(receipt(id), (error) => resolve(error === undefined ? `${id} acked` : String(error)));
  });
}

describe('acks', () => {
  it('of one turn are sent together at once; later ones are sent together after the open request', async () => {
    const { acks, requests, ids } = batcher();
    const first = [end(acks, 'a'), end(acks, 'b')];
    await turn();
    const others = [end(acks, 'c'), end(acks, 'd')];
    await turn();
    expect(ids()).toEqual(['a b']);
    await requests[0]?.answer();
    await Promise.all(first);
    expect(ids()).toEqual(['a b', 'c d']);
    await requests[1]?.answer();
    await Promise.all(others);
  });

  it('do not wait for the open request once they fill one', async () => {
    const { acks, ids } = batcher();
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) acks.ack(receipt(id), () => {});
    await turn();
    expect(ids()).toEqual(['a b c', 'd e f']);
  });

  it('of several topics or endpoints never share a request', async () => {
    const { acks, ids } = batcher();
    acks.ack(receipt('a'), () => {});
    acks.ack(receipt('b', { topic: 'returns' }), () => {});
    acks.ack(receipt('c', { port: 2 }), () => {});
    await turn();
    expect(ids()).toEqual(['a', 'b', 'c']);
  });

  it('have the result of their own message each', async () => {
    const { acks, requests } = batcher();
    const ends = ['a', 'b', 'c'].map((id) => end(acks, id));
    await turn();
    await requests[0]?.answer(undefined, new Error('void'), undefined);
    expect(await Promise.all(ends)).toEqual(['a acked', 'Error: void', 'c acked']);
  });

  it('share the failure of their request, and waiting ones continue', async () => {
    const { acks, requests, ids } = batcher();
    const together = [end(acks, 'a'), end(acks, 'b')];
    await turn();
    const later = end(acks, 'c');
    requests[0]?.fail(new Error('connection lost'));
    await turn();
    expect(ids()).toEqual(['a b', 'c']);
    await requests[1]?.answer();
    expect(await Promise.all(together)).toEqual(['Error: connection lost', 'Error: connection lost']);
    expect(await later).toBe('c acked');
  });

  it('of two deliveries of one message are sent in two requests, since their results could not be distinguished', async () => {
    const { acks, requests, ids } = batcher();
    for (const id of ['a', 'b', 'b', 'c']) acks.ack(receipt(id), () => {});
    await turn();
    await requests[0]?.answer();
    expect(ids()).toEqual(['a b c', 'b']);
  });

  it('are sent one by one with a batch size of 1', async () => {
    const { acks, ids } = batcher(1);
    for (const id of ['a', 'b', 'c']) acks.ack(receipt(id), () => {});
    await turn();
    expect(ids()).toEqual(['a', 'b', 'c']);
  });
});
