// Calls that are made while the channel is being loaded.

import { describe, expect, it } from '@jest/globals';
import type { Channel, WireCall } from '../channel.js';
import { LazyChannel } from './lazy-channel.js';

const ADDRESS = '127.0.0.1:8081';
const call = (fields: Partial<WireCall> = {}): WireCall => ({
  path: '/apache.rocketmq.v2.MessagingService/SendMessage',
  metadata: {},
  timeoutMs: 5_000,
  ...fields,
});
const never = (): Promise<Channel> => new Promise(() => {});
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    ({ code, outcome }: { code: string; outcome: string }) => ({ code, outcome }),
  );

describe('a channel that is being loaded', () => {
  it('fails calls with a clear error when it cannot be loaded', async () => {
    const channel = new LazyChannel(ADDRESS, () => Promise.reject(new Error("Cannot find package '@grpc/grpc-js'")));
    const failure = {
      code: 'TRANSPORT_MISSING',
      outcome: 'not-sent',
      retryable: false,
      message: expect.stringContaining('@grpc/grpc-js'),
    };
    await expect(channel.unary(call(), Buffer.alloc(0))).rejects.toMatchObject(failure);
    await expect(channel.serverStream(call(), Buffer.alloc(0), () => {})).rejects.toMatchObject(failure);
    const stream = channel.stream(call({ timeoutMs: undefined }));
    await expect(stream.frames[Symbol.asyncIterator]().next()).rejects.toMatchObject(failure);
    expect(stream.write(Buffer.alloc(1))).toBe(false);
    expect(await channel.isAlive(1_000)).toBe(false);
    channel.close();
  });

  it('ends a call by its own time, its signal and the close', async () => {
    const channel = new LazyChannel(ADDRESS, never);
    expect(await outcomeOf(channel.unary(call({ timeoutMs: 20 }), Buffer.alloc(0)))).toEqual({
      code: 'DEADLINE_EXCEEDED',
      outcome: 'not-sent',
    });
    const reason = new Error('no longer wanted');
    for (const timeoutMs of [5_000, undefined]) {
      const aborting = new AbortController();
      const aborted = channel.unary(call({ signal: aborting.signal, timeoutMs }), Buffer.alloc(0));
      aborting.abort(reason);
      await expect(aborted).rejects.toBe(reason);
    }
    const open = channel.unary(call(), Buffer.alloc(0));
    const { frames } = channel.stream(call({ timeoutMs: undefined }));
    channel.close();
    expect(await outcomeOf(open)).toMatchObject({ code: 'CLOSED' });
    expect(await outcomeOf(frames[Symbol.asyncIterator]().next())).toMatchObject({ code: 'CLOSED' });
    expect(await outcomeOf(channel.unary(call(), Buffer.alloc(0)))).toMatchObject({ code: 'CLOSED' });
  });

  it('answers a ping and retires within the time given', async () => {
    const channel = new LazyChannel(ADDRESS, never);
    expect(await channel.isAlive(20)).toBe(false);
    await channel.retire();
    expect(await outcomeOf(channel.unary(call(), Buffer.alloc(0)))).toMatchObject({ code: 'CLOSED' });
  });
});
