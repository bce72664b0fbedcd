import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger as NestLogger } from '@nestjs/common';
import { NestLoggerAdapter } from './nest-logger.js';

describe('the log lines of the library', () => {
  afterEach(() => NestLogger.overrideLogger(['error']));

  it('go to the Nest logger, with their fields behind the message', () => {
    const lines: unknown[][] = [];
    const note =
      (level: string) =>
      (...line: unknown[]): void =>
        void lines.push([level, ...line.filter((part) => part !== undefined)]);
    NestLogger.overrideLogger({
      debug: note('debug'),
      log: note('log'),
      warn: note('warn'),
      error: note('error'),
    });
    const logger = new NestLoggerAdapter();
    logger.debug('d');
    logger.info('i', { topic: 'a', keys: ['k1', 'k2'], tag: undefined, none: [] });
    logger.warn('w', {});
    logger.error('e', { error: 'two words', attempt: 2 });
    expect(lines).toEqual([
      ['debug', 'd', 'RocketMQ'],
      ['log', 'i (topic=a keys=k1,k2)', 'RocketMQ'],
      ['warn', 'w', 'RocketMQ'],
      ['error', 'e (error="two words" attempt=2)', 'RocketMQ'],
    ]);
  });
});
