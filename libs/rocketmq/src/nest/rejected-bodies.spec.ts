// Bodies that a pipe of Nest rejects: the reasons are in the log, in the dead letter and in the answer to a request.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BadRequestException, Controller, ParseArrayPipe, UsePipes, ValidationPipe } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { IsInt, IsString } from 'class-validator';
import { NestBench, recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import { DEAD_LETTER_PROPERTIES, RocketMQListener, RocketMQRequester, ServerRocketMQ } from '../entries/nest.js';

let bench: NestBench;
beforeAll(async () => {
  bench = await NestBench.open({ nameServerPort: 0 });
});
afterEach(() => bench.closeApps());
afterAll(() => bench.close());

describe('a body that a pipe rejects', () => {
  class Reading {
    @IsInt()
    readonly value!: number;

    @IsString()
    readonly unit!: string;
  }
  const reasons = 'value must be an integer number; unit must be a string';
  const { reason, errorName, errorMessage } = DEAD_LETTER_PROPERTIES;

  it('has the reasons in the log and in the dead letter', async () => {
    class Listener {
      @RocketMQListener('rejected', { consumerGroup: 'rejected', deadLetterTopic: 'rejected-dead' })
      @UsePipes(new ValidationPipe())
      async handle(_body: Reading): Promise<void> {}
    }
    const logger = recordingLogger();
    const app = await bench.start({ providers: [Listener], options: { logger } });
    await bench.send(app, 'rejected', { value: 'seven' });
    const text = expect.stringContaining(`the body is rejected by a pipe (Bad Request Exception: ${reasons})`);
    const [dead] = bench.broker.messages('rejected-dead');
    expect(dead?.properties).toMatchObject({
      [reason]: 'handler-decided',
      [errorName]: 'DeadLetterError',
      [errorMessage]: text,
    });
    const failed = logger.lines.find(([line]) => line.startsWith('error a message is dead-lettered'));
    expect(failed?.[1]).toMatchObject({ error: text });
  });

  it('has them in a batch, too, with the exception itself as the error', async () => {
    const batch = { maxSize: 10, maxWaitMs: 5 };
    class Listener {
      @RocketMQListener('rejected-batch', {
        consumerGroup: 'rejected-batch',
        deadLetterTopic: 'rejected-batch-dead',
        deadLetterOn: [BadRequestException],
        batch,
        parameters: 'decorated',
      })
      async handle(@Payload(new ParseArrayPipe({ items: Reading })) _bodies: Reading[]): Promise<void> {}
    }
    const logger = recordingLogger();
    const app = await bench.start({ providers: [Listener], options: { logger } });
    await bench.send(app, 'rejected-batch', { value: 'seven', unit: 'm' });
    const [dead] = bench.broker.messages('rejected-batch-dead');
    const text = expect.stringMatching(/^Bad Request Exception: .*value must be an integer number$/);
    expect(dead?.properties).toMatchObject({
      [reason]: 'not-retryable',
      [errorName]: 'BadRequestException',
      [errorMessage]: text,
    });
    const failed = logger.lines.find(([line]) => line.startsWith('error a message is dead-lettered'));
    expect(failed?.[1]).toMatchObject({ error: text });
  });

  it('answers a request with them, whether the pipe is of the body or the handler throws them itself', async () => {
    @Controller()
    class Prices {
      @MessagePattern<string>('prices:piped')
      @UsePipes(new ValidationPipe())
      piped(_request: Reading): number {
        return 1;
      }

      @MessagePattern<string>('prices:thrown')
      thrown(_request: unknown): number {
        throw new BadRequestException(['sold out', 'closed']);
      }
    }
    const logger = recordingLogger();
    const app = await bench.start({
      controllers: [Prices],
      options: {
        logger,
        nameServer: bench.broker.nameServerEndpoint,
        consumerGroup: 'prices',
        requests: { application: 'desk' },
      },
      prepare: (prepared) => void prepared.connectMicroservice({ strategy: prepared.get(ServerRocketMQ) }),
    });
    await app.startAllMicroservices();
    const requester = app.get(RocketMQRequester);
    const failureOf = (asking: Promise<unknown>) => asking.catch((error: Error) => error);
    expect(await failureOf(requester.request('prices:piped', { value: 'seven' }))).toMatchObject({
      name: 'InvalidBodyError',
      message: expect.stringMatching(
        /"prices".*\(Bad Request Exception: value must be an integer number; unit must be a string\)/,
      ),
    });
    expect(await failureOf(requester.request('prices:thrown', {}))).toMatchObject({
      name: 'BadRequestException',
      message: 'Bad Request Exception: sold out; closed',
    });
    const logged = logger.lines
      .filter(([line]) => line.startsWith('warn a request failed'))
      .map(([, { error }]) => error);
    expect(logged).toEqual([
      expect.stringContaining('value must be an integer number; unit must be a string'),
      'Bad Request Exception: sold out; closed',
    ]);
  });
});
