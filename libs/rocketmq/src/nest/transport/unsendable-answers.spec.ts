import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { z } from 'zod';
import { ClientBench } from '../../../../../test/fixtures/client-bench.js';
import { defineRequest, RocketMQReply, UsageError } from '../../entries/nest.js';

const bench = ClientBench.ofFile();

const MIB = 1024 * 1024;
const Checked = defineRequest('answers:checked', { answer: z.object({ id: z.string() }) });

@Controller()
class Answers {
  @MessagePattern<string>('answers:large')
  large(): string {
    return 'x'.repeat(5 * MIB);
  }

  @MessagePattern<string>('answers:large-error')
  largeError(): never {
    throw new Error('e'.repeat(5 * MIB));
  }

  @MessagePattern<string>('answers:no-bytes')
  noBytes(): Buffer {
    return Buffer.alloc(0);
  }

  @MessagePattern<string>('answers:rejected')
  rejected(): never {
    throw new UsageError('NOT_FOR_SALE', 'nobody sells gold', 'item');
  }

  @MessagePattern<string>('answers:object')
  object(): never {
    throw { code: 5, message: 'not an Error' };
  }

  @MessagePattern<string>('answers:cycle')
  cycle(): object {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    return circle;
  }

  @RocketMQReply(Checked)
  checked(): { id: string } {
    return { id: 7 as unknown as string };
  }
}

async function requester() {
  await bench.server(Answers);
  return (await bench.asking()).requester;
}

describe('an answer that cannot be sent', () => {
  it('is an error for the requester at once: it is too large', async () => {
    await expect((await requester()).request('answers:large', 1)).rejects.toMatchObject({
      code: 'INVALID_REPLY',
      message: expect.stringMatching(/MESSAGE_BODY_TOO_LARGE.*the request took effect/),
    });
  });

  it('is an error with the code of the library: it has no form as JSON', async () => {
    await expect((await requester()).request('answers:cycle', 1)).rejects.toMatchObject({
      code: 'INVALID_REPLY',
      message: expect.stringContaining('the request took effect'),
    });
  });

  it('is an error with the code of the library: it does not fit its schema', async () => {
    await expect((await requester()).request(Checked, undefined as unknown)).rejects.toMatchObject({
      code: 'INVALID_BODY',
      message: expect.stringContaining('null has'),
    });
    await expect((await requester()).request(Checked, null)).rejects.toMatchObject({ code: 'INVALID_REPLY' });
  });
});

describe('an answer at the limits', () => {
  it('arrives: no bytes', async () => {
    await expect((await requester()).request('answers:no-bytes', 1)).resolves.toEqual(Buffer.alloc(0));
  });

  it('arrives shortened: an error with a long message', async () => {
    const error = await (await requester()).request('answers:large-error', 1).catch((reason: unknown) => reason);
    expect((error as Error).message).toMatch(/^e{16384}…$/);
  });

  it('keeps the code of an error', async () => {
    await expect((await requester()).request('answers:rejected', 1)).rejects.toMatchObject({
      name: 'UsageError',
      code: 'NOT_FOR_SALE',
    });
  });

  it('keeps the message of a thrown object that is no Error', async () => {
    await expect((await requester()).request('answers:object', 1)).rejects.toThrow('not an Error');
  });
});
