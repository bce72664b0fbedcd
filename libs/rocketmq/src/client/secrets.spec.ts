import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from '../broker/embedded-broker.js';
import { Producer } from '../producer/producer.js';
import type { Credentials } from '../protocol/credentials/metadata.js';
import type { Logger } from '../support/logger.js';
import { Connection } from './connection.js';
import type { ConnectionOptions } from './connection-options.js';

const USER = { accessKey: 'app', secretKey: 'open-sesame', sessionToken: 'token-of-the-day' };
const SECRETS = /open-sesame|close-sesame|token-of-the-day/;

describe('secrets', () => {
  let broker: EmbeddedBroker;
  const lines: string[] = [];
  const write = (text: string, fields?: object): void => void lines.push(inspect([text, fields], { depth: 20 }));
  const logger: Logger = { debug: write, info: write, warn: write, error: write };

  beforeEach(async () => {
    broker = new EmbeddedBroker({ users: [{ ...USER, isSuper: true }], logger });
    await broker.start();
    lines.length = 0;
  });
  afterEach(() => broker.stop());

  /** Starts a producer, sends, and hands on what was thrown, and what the objects look like in a log. */
  async function seen(credentials: ConnectionOptions['credentials'], between = async () => {}): Promise<string> {
    const connection = new Connection({ endpoints: broker.endpoints, logger, credentials });
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    const errors: unknown[] = [];
    try {
      await producer.start({ timeoutMs: 1_000 });
      await between();
      await producer.send({ topic: 'orders', body: 'x' });
    } catch (error) {
      errors.push(error);
    }
    const text = inspect([errors, connection, producer], { depth: 20, showHidden: true });
    await producer.close();
    connection.close();
    return `${text}${lines.join('\n')}`;
  }

  it.each<[string, ConnectionOptions['credentials']]>([
    ['work', USER],
    ['are wrong', { ...USER, secretKey: 'close-sesame' }],
    ['come from a provider', async () => USER],
  ])('appear in no log and no error when they %s', async (_, credentials) => {
    expect(await seen(credentials)).not.toMatch(SECRETS);
  });

  it('appear in no log and no error when they change or the provider fails', async () => {
    const answers: (Credentials | Error)[] = [USER, new Error('the vault lost open-sesame'), new Error('sealed')];
    const provider = (): Credentials => {
      const next = answers.shift() ?? USER;
      if (next instanceof Error) throw next;
      return next;
    };
    const change = async (): Promise<void> => broker.declareUser({ ...USER, secretKey: 'close-sesame', isSuper: true });
    const text = await seen(provider, change);
    expect(text).toContain('the last ones stay in use');
    expect(text).toContain('check signature failed');
    expect(text).not.toMatch(SECRETS);
  });
});
