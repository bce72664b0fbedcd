import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordingServer } from '../../../../test/fixtures/recording-server.js';
import { Producer } from '../producer/producer.js';
import { Connection } from './connection.js';
import type { ConnectionOptions } from './connection-options.js';
import { parseEndpoints } from './endpoint.js';

const CREDENTIALS = { accessKey: 'AK', secretKey: 'geheim-ü', sessionToken: 'token' };

describe('a connection', () => {
  let server: RecordingServer;

  beforeEach(async () => {
    server = new RecordingServer();
    await server.start();
  });
  afterEach(() => server.stop());

  /** Starts a producer, sends one message, and closes. */
  async function sendOne(options: Partial<ConnectionOptions>, body: Uint8Array | string = 'one'): Promise<void> {
    const connection = new Connection({ endpoints: server.endpoints, ...options });
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    try {
      await producer.start();
      await producer.send({ topic: 'orders', body });
    } finally {
      await producer.close();
      connection.close();
    }
  }

  it('signs every request, including telemetry, with the HMAC of its time', async () => {
    await sendOne({ credentials: CREDENTIALS });
    const rpcs = server.recorded.map(({ rpc }) => rpc);
    expect(rpcs).toEqual(['queryRoute', 'telemetry', 'sendMessage', 'notifyClientTermination']);
    for (const { metadata } of server.recorded) {
      const time = metadata['x-mq-date-time'] ?? '';
      expect(time).toMatch(/^\d{8}T\d{6}Z$/);
      const signature = createHmac('sha1', 'geheim-ü').update(time).digest('hex').toUpperCase();
      expect(metadata.authorization).toBe(
        `MQv2-HMAC-SHA1 Credential=AK, SignedHeaders=x-mq-date-time, Signature=${signature}`,
      );
      expect(metadata['x-mq-session-token']).toBe('token');
    }
  });

  it('sends no signature without credentials, but always identifies the client', async () => {
    await sendOne({});
    const ids = new Set(server.recorded.map(({ metadata }) => metadata['x-mq-client-id']));
    expect(ids.size).toBe(1);
    for (const { metadata } of server.recorded) {
      expect(metadata).toMatchObject({ 'x-mq-language': 'NODE_JS', 'x-mq-protocol': 'v2', 'x-mq-namespace': '' });
      expect(metadata).not.toHaveProperty('authorization');
      expect(metadata).not.toHaveProperty('x-mq-session-token');
    }
  });

  it('carries its namespace in metadata and in every resource', async () => {
    await sendOne({ namespace: 'tenant-7' });
    const topic = { resourceNamespace: 'tenant-7', name: 'orders' };
    expect(server.of('queryRoute')[0]?.request).toMatchObject({ topic });
    expect(server.of('sendMessage')[0]?.request).toMatchObject({ messages: [{ topic }] });
    expect(server.recorded.map(({ metadata }) => metadata['x-mq-namespace'])).toEqual(Array(4).fill('tenant-7'));
  });

  it('gives every client a unique id that is valid in a header', () => {
    const connection = new Connection({ endpoints: server.endpoints });
    const ids = [connection.newClientId(), connection.newClientId()];
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[\x21-\x7e]+@\d+@\d+@[0-9a-z]+$/);
  });

  function limitBodiesTo(maxBodySize: number): void {
    server.adjustSettings = (command) => {
      if (command.command?.$case !== 'settings' || command.command.value.pubSub?.$case !== 'publishing') return command;
      const pubSub = { $case: 'publishing', value: { ...command.command.value.pubSub.value, maxBodySize } } as const;
      return { ...command, command: { $case: 'settings', value: { ...command.command.value, pubSub } } };
    };
  }

  it("respects the server's body limit if it is lower", async () => {
    limitBodiesTo(10);
    await expect(sendOne({}, 'eleven bytes')).rejects.toMatchObject({ code: 'MESSAGE_BODY_TOO_LARGE', field: 'body' });
    expect(server.of('sendMessage')).toEqual([]);
  });

  it("uses the server's body limit if it is higher", async () => {
    limitBodiesTo(8 * 1024 * 1024);
    await sendOne({}, 'x'.repeat(5 * 1024 * 1024));
    expect(server.of('sendMessage')).toHaveLength(1);
  });

  it.each([
    ['namespace', { namespace: 'Größe' }],
    ['credentials.accessKey', { credentials: { accessKey: '', secretKey: 's' } }],
    ['credentials.secretKey', { credentials: { accessKey: 'a', secretKey: '' } }],
    ['credentials.sessionToken', { credentials: { ...CREDENTIALS, sessionToken: 'to\nken' } }],
    ['requestTimeoutMs', { requestTimeoutMs: 0 }],
  ] as [string, Partial<ConnectionOptions>][])('rejects an invalid %s by name, without its value', (field, options) => {
    const make = (): Connection => new Connection({ endpoints: server.endpoints, ...options });
    expect(make).toThrow(`option ${field} must be`);
    expect(make).not.toThrow(/to\nken/);
  });

  it('closes the channel to an unavailable server when its last client releases it, and opens a new one when needed', () => {
    const connection = new Connection({ endpoints: server.endpoints });
    const endpoint = parseEndpoints('127.0.0.1:1');
    const first = connection.channel(endpoint);
    connection.retain(endpoint);
    connection.retain(endpoint);
    connection.release(endpoint);
    expect(connection.channel(endpoint)).toBe(first);
    connection.release(endpoint);
    const second = connection.channel(endpoint);
    expect(second).not.toBe(first);
    expect(connection.channel(parseEndpoints('127.0.0.1:1'))).toBe(second);
    connection.close();
  });

  it('keeps the channels to available servers and to the bootstrap endpoints', async () => {
    const connection = new Connection({ endpoints: server.endpoints });
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    await producer.start();
    const channel = connection.channel(connection.bootstrap);
    await producer.close();
    expect(connection.channel(connection.bootstrap)).toBe(channel);
    connection.close();
  });

  it('sends nothing once closed', async () => {
    const connection = new Connection({ endpoints: server.endpoints });
    const producer = new Producer(connection);
    connection.close();
    connection.close();
    await expect(producer.send({ topic: 'orders', body: 'x' })).rejects.toMatchObject({ code: 'CLOSED' });
    await producer.close();
  });
});
