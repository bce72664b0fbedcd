// What log lines look like in the loggers that applications use.

import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsoleLogger, Injectable, type LoggerService, Logger as NestLogger } from '@nestjs/common';
import { pino } from 'pino';
import { NestBench } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import { RocketMQListener, RocketMQModule, RocketMQProducer } from '../../entries/nest.js';
import { NestLoggerAdapter } from './nest-logger.js';

afterEach(() => {
  const quiet = new ConsoleLogger();
  quiet.setLogLevels(['error']);
  NestLogger.overrideLogger(quiet);
});

/** A LoggerService over pino, as the packages for it do: an object becomes fields. */
function pinoService(level = 'debug'): { readonly service: LoggerService; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const target = pino({ level, base: null, timestamp: false }, sink);
  const write =
    (method: 'debug' | 'info' | 'warn' | 'error') =>
    (message: unknown, ...others: unknown[]): void => {
      const context = others.at(-1);
      if (typeof message === 'object') target[method]({ context, ...message });
      else target[method]({ context }, String(message));
    };
  return { lines, service: { debug: write('debug'), log: write('info'), warn: write('warn'), error: write('error') } };
}

describe('the log lines of the library', () => {
  const fields = { topic: 'a', keys: ['k1', 'k2'], tag: undefined, none: [], error: 'two words' };

  it('are a string with their fields appended, for loggers that write text', () => {
    const lines: unknown[][] = [];
    const note =
      (level: string) =>
      (message: unknown, ...others: unknown[]): void =>
        void lines.push([level, `${message}`, ...others.filter((part) => part !== undefined)]);
    NestLogger.overrideLogger({ debug: note('debug'), log: note('log'), warn: note('warn'), error: note('error') });
    const logger = new NestLoggerAdapter();
    logger.debug('d');
    logger.info('i', fields);
    logger.warn('w', {});
    logger.error('e', { error: 'two words', attempt: 2 });
    expect(lines).toEqual([
      ['debug', 'd', 'RocketMQ'],
      ['log', 'i (topic=a keys=k1,k2 error="two words")', 'RocketMQ'],
      ['warn', 'w', 'RocketMQ'],
      ['error', 'e (error="two words" attempt=2)', 'RocketMQ'],
    ]);
  });

  it('escape the control characters of quoted values, and are one line each', () => {
    const lines: string[] = [];
    const note = (message: unknown): void => void lines.push(`${message}`, JSON.stringify(message));
    NestLogger.overrideLogger({ debug: note, log: note, warn: note, error: note });
    const logger = new NestLoggerAdapter();
    const hostile = 'no\u001b[2J\u009b31m\nERROR a line of its own';
    logger.error(`the server said "${hostile}"`);
    logger.error('rejected', { error: hostile, keys: [hostile] });
    expect(lines).toHaveLength(4);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    for (const line of lines) expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(lines[0]).toBe('the server said "no\\x1b[2J\\x9b31m\\nERROR a line of its own"');
  });

  it("are text lines in Nest's console logger", () => {
    const written: string[] = [];
    class Console extends ConsoleLogger {
      protected override printMessages(messages: unknown[]): void {
        const format = (this as unknown as { stringifyMessage(message: unknown, level: string): string })
          .stringifyMessage;
        written.push(...messages.map((message) => format.call(this, message, 'log')));
      }
    }
    NestLogger.overrideLogger(new Console());
    new NestLoggerAdapter().info('i', fields);
    expect(written.map((line) => stripVTControlCharacters(line))).toEqual(['i (topic=a keys=k1,k2 error="two words")']);
  });

  it('are fields in pino, at the right level', () => {
    const { service, lines } = pinoService();
    NestLogger.overrideLogger(service);
    const logger = new NestLoggerAdapter();
    logger.warn('w', fields);
    logger.error('e');
    expect(lines).toEqual([
      { level: 40, context: 'RocketMQ', msg: 'w', topic: 'a', keys: ['k1', 'k2'], error: 'two words' },
      { level: 50, context: 'RocketMQ', msg: 'e' },
    ]);
    logger.info('i', { message: 'a field of that name', toString: 1 });
    expect(lines.at(-1)).toMatchObject({ msg: 'i', message: 'a field of that name', toString: 1 });
    // nest-winston takes `message` and spreads the rest.
    const taken: unknown[] = [];
    const winston = ({ message, ...meta }: Record<string, unknown>): unknown => taken.push([message, meta]);
    NestLogger.overrideLogger({ log: winston, warn: winston, error: winston } as LoggerService);
    logger.warn('w', { topic: 'a' });
    expect(taken).toEqual([['w', { msg: 'w', topic: 'a' }]]);
  });
});

describe('the log of an application', () => {
  let bench: NestBench;
  const SECRETS = { accessKey: 'key-of-the-shop', secretKey: 'secret-of-the-shop', securityToken: 'token-of-the-shop' };

  beforeEach(async () => {
    bench = await NestBench.open();
  });
  afterEach(() => bench.close());

  it('warns when a server is lost, logs a dead letter as one error, and contains neither bodies nor secrets', async () => {
    const { service, lines } = pinoService();
    @Injectable()
    class Till {
      @RocketMQListener('card-charged', { consumerGroup: 'till', maxAttempts: 1 })
      charge(): never {
        throw new Error('declined');
      }
    }
    const { endpoints, clock } = bench.broker;
    const module = RocketMQModule.forRoot({ name: 'shop', endpoints, clock, credentials: SECRETS });
    @Injectable()
    class Shop {
      @RocketMQListener('orders', { consumerGroup: 'shop', connection: 'shop' })
      handle(): void {}
    }
    const app = await bench.start({
      imports: [module as never],
      providers: [Till, Shop],
      options: { logger: undefined },
      prepare: () => NestLogger.overrideLogger(service),
    });
    const isDeadLetter = ({ msg }: Record<string, unknown>): boolean =>
      `${msg}`.startsWith('a message is dead-lettered');
    await app.get(RocketMQProducer).send({ topic: 'card-charged', body: { card: '4111-1111' }, keys: ['order-1'] });
    await bench.broker.idle();
    while (!lines.some(isDeadLetter)) await bench.broker.idle();
    await bench.broker.stop();
    const isLost = ({ msg }: Record<string, unknown>): boolean => `${msg}`.startsWith('telemetry stream to');
    await until(() => lines.filter(isLost).length >= 4);
    await bench.broker.broker.start();
    while (lines.filter(({ msg }) => msg === 'the server is back').length < 4) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const leveled = (level: number): unknown[] => [
      ...new Set(lines.filter((line) => line.level === level).map(({ msg }) => `${msg}`.split(';')[0])),
    ];
    expect(leveled(50)).toEqual(['a message is dead-lettered']);
    expect(leveled(40)).toContain(`telemetry stream to ${endpoints} is down`);
    expect(leveled(30)).toEqual(expect.arrayContaining(['Till.charge listens', 'the server is back']));
    expect(lines.find(isDeadLetter)).toMatchObject({
      msg: expect.stringContaining(
        'replay it in the console, or with: npx nestjs-rocketmq dlq replay till --name-server ',
      ),
      context: 'RocketMQ',
      topic: 'card-charged',
      consumerGroup: 'till',
      keys: ['order-1'],
      error: 'declined',
      errorName: 'Error',
    });
    const all = JSON.stringify(lines);
    for (const secret of [...Object.values(SECRETS), '4111-1111']) expect(all).not.toContain(secret);
  });
});
