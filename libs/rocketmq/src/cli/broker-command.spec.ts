import { describe, expect, it } from '@jest/globals';
import { brokerValuesOf } from './broker-command.js';
import { brokerOptionsOf } from './broker-process.js';

const noFile = (file: string): string => {
  throw new Error(`unexpected read of ${file}`);
};
const read = (args: readonly string[], readConfig: (file: string) => string) =>
  brokerOptionsOf(brokerValuesOf(args), readConfig);
const options = async (...args: string[]) => read(args, noFile);
const configured = (config: unknown, ...args: string[]) =>
  read(['--config', 'broker.json', ...args], () => {
    return typeof config === 'string' ? config : JSON.stringify(config);
  });

describe('the command line of the broker', () => {
  it('requires no options', async () => {
    expect(await options()).toEqual({ port: 8081, topics: [], groups: [] });
  });

  it('sets ports, host, topics and groups', async () => {
    const line =
      '--port 0 --name-server-port 9876 --control 127.0.0.2:9080 --host 0.0.0.0 --advertise localhost --time-travel --manual-clock --strict --recall --data d --flush async --topic a --topic b:priority:4 --group g:fifo:3';
    expect(await options(...line.split(' '))).toEqual({
      port: 0,
      nameServerPort: 9876,
      advertisedAddress: { host: 'localhost' },
      controlPort: 9080,
      controlHost: '127.0.0.2',
      host: '0.0.0.0',
      timeTravel: true,
      manualClock: true,
      strict: true,
      recallEnabled: true,
      data: 'd',
      flush: 'async',
      topics: [
        { name: 'a', type: 'normal', queues: 8 },
        { name: 'b', type: 'priority', queues: 4 },
      ],
      groups: [{ name: 'g', fifo: true, maxDeliveryAttempts: 3 }],
    });
  });

  it.each([
    ['--port 99999', "'--port <port>' argument '99999' is invalid. It must be a port from 0 to 65535"],
    ['--name-server-port x', "'--name-server-port <port>' argument 'x' is invalid. It must be a port"],
    ['--control :1', 'It must be PORT, HOST:PORT or [IPV6]:PORT'],
    ['--topic :fifo', 'name:type:queues'],
    ['--topic a:b', 'The type must be one of normal, fifo, delay, transaction, priority'],
    ['--topic a:fifo:0', 'The queues must be an integer above 0'],
    ['--topic a:fifo:1:2', 'name:type:queues'],
    ['--group g:ordered', 'name:fifo:maxAttempts'],
    ['--group g:fifo:none', 'The attempts must be'],
    ['--flush never', "argument 'never' is invalid. Allowed choices are sync, async"],
    ['--ports 1', "unknown option '--ports'"],
    ['more', 'too many arguments'],
  ])('rejects %s', async (line, message) => {
    await expect(options(...line.split(' '))).rejects.toThrow(message);
  });
});

describe('the file of the broker', () => {
  const file = {
    port: 9081,
    morePorts: [9082],
    host: '127.0.0.2',
    nameServerPort: 0,
    controlPort: 0,
    controlHost: '127.0.0.2',
    advertisedAddress: { host: 'broker', port: 18_081, nameServerPort: 19_876 },
    advertiseAsAsked: true,
    strict: true,
    timeTravel: true,
    manualClock: true,
    data: '/var/lib/broker',
    flush: 'sync',
    retentionMs: 3_600_000,
    retentionBytes: 1_000_000_000,
    maxMemoryBytes: 100_000_000,
    topics: [{ name: 'orders', type: 'transaction', queues: 2 }, { name: 'plain' }],
    groups: [
      { name: 'g', fifo: true, maxDeliveryAttempts: 3, backoff: { kind: 'customized', nextMs: [100] } },
      { name: 'h', backoff: { kind: 'exponential', initialMs: 10, maxMs: 1000, multiplier: 1.5 } },
    ],
    users: [
      { accessKey: 'root', secretKey: 'secret', isSuper: true },
      {
        accessKey: 'app',
        secretKey: 'secret',
        permissions: [{ resource: 'Topic:*', actions: ['Pub'], decision: 'deny' }],
      },
    ],
    maxDelayMs: 172_800_000,
    recallEnabled: true,
    transactionFirstCheckMs: 100,
    transactionCheckIntervalMs: 100,
    transactionCheckMax: 3,
    transactionDataExpireMs: 1000,
  };

  it('can contain every option that JSON can express', async () => {
    expect(await configured(file)).toEqual(file);
  });

  it('names the files of certificates and keys, relative to its folder, which are read for each connection', async () => {
    const files = { certFile: 'tls/broker.crt', keyFile: 'broker.key', clientCaFile: 'ca.crt' };
    const tls = { ...files, passphrase: 'words', allowPlaintext: false };
    let version = 1;
    const readFile = (name: string) =>
      name === 'etc/broker.json' ? JSON.stringify({ tls }) : `${name} version ${version}`;
    const { cert, key, clientCa, ...others } = (await read(['--config', 'etc/broker.json'], readFile)).tls ?? {};
    version = 2;
    const texts = [cert, key, clientCa].map((source) => (typeof source === 'function' ? source() : source));
    const names = ['etc/tls/broker.crt', 'etc/broker.key', 'etc/ca.crt'];
    expect(texts).toEqual(names.map((name) => `${name} version 2`));
    expect(others).toEqual({ passphrase: 'words', allowPlaintext: false });
  });

  it('leaves the ports of the advertised address to the file, and can do without the name server port', async () => {
    const { advertisedAddress, nameServerPort } = await configured(
      file,
      '--advertise',
      'localhost',
      '--no-name-server-port',
    );
    expect(advertisedAddress).toEqual({ host: 'localhost', port: 18_081, nameServerPort: 19_876 });
    expect(nameServerPort).toBeUndefined();
  });

  it('is rejected when a file that it names cannot be read', async () => {
    const tls = { certFile: 'broker.crt', keyFile: 'broker.key' };
    const readFile = (name: string): string => {
      if (name === 'broker.json') return JSON.stringify({ tls });
      throw new Error(`cannot read ${name}`);
    };
    await expect(read(['--config', 'broker.json'], readFile)).rejects.toThrow('cannot read broker.crt');
  });

  it('is overridden by the command line, topics and groups by name', async () => {
    const over = await configured(file, '--port', '1', '--topic', 'orders:fifo', '--topic', 'new', '--group', 'h');
    expect(over).toMatchObject({
      port: 1,
      host: '127.0.0.2',
      strict: true,
      topics: [{ name: 'plain' }, { name: 'orders', type: 'fifo', queues: 8 }, { name: 'new' }],
      groups: [{ name: 'g' }, { name: 'h', maxDeliveryAttempts: 17 }],
    });
  });

  it.each<[unknown, string]>([
    ['{', 'is not valid JSON'],
    [[], 'the file must be an object'],
    [{ prot: 1 }, 'unknown field prot; the fields are port,'],
    [{ port: '1' }, 'port must be a port from 0 to 65535, but is a string'],
    [{ strict: 'yes' }, 'strict must be true or false'],
    [{ topics: {} }, 'topics must be a list'],
    [{ topics: [{ name: 'a' }, { type: 'fifo' }] }, 'topics[1].name is missing'],
    [{ topics: [{ name: 'a', type: 'other' }] }, 'topics[0].type must be one of normal,'],
    [{ topics: [{ name: 'a', queues: 0 }] }, 'topics[0].queues must be an integer above 0, but is a number'],
    [{ topics: [{ name: 'a', kind: 'fifo' }] }, 'unknown field topics[0].kind'],
    [{ groups: [{ name: 'g', backoff: {} }] }, 'groups[0].backoff.kind must be one of customized, exponential'],
    [{ groups: [{ name: 'g', backoff: { kind: 'customized', nextMs: [] } }] }, 'groups[0].backoff.nextMs'],
    [{ groups: [{ name: 'g', backoff: { kind: 'exponential', initialMs: 1 } }] }, 'groups[0].backoff.maxMs'],
    [{ advertisedAddress: { port: 1 } }, 'advertisedAddress.host is missing'],
    [{ transactionCheckIntervalMs: -1 }, 'transactionCheckIntervalMs must be a number of milliseconds'],
    [{ flush: 'never' }, 'flush must be sync or async'],
    [{ retentionMs: 0 }, 'retentionMs must be a number of milliseconds'],
    [{ clock: {} }, 'unknown field clock'],
    ['{\n "port": 1,\n}', 'is not valid JSON: the error is at line 3, column 1'],
  ])('is rejected as %j, naming the field', async (config, message) => {
    await expect(configured(config)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(message),
    });
  });

  it.each([
    '{"users": [{"accessKey": "a", "secretKey": "hidden" "isSuper": true}]}',
    '{"users": [{"accessKey": "a", "secretKey": hidden}]}',
    'hidden',
    { users: [{ accessKey: 'a', secretKey: ['hidden'] }] },
    { users: [{ accessKey: 'a', secretKey: 's', isSuper: 'hidden' }] },
    { users: ['hidden'] },
    { port: 'hidden' },
    { tls: 'hidden' },
    { groups: [{ name: 'g', backoff: { kind: 'hidden' } }] },
  ])('is rejected without quoting its content: %j', async (config) => {
    const error: Error = await configured(config).then(
      () => new Error('it was accepted'),
      (error) => error,
    );
    expect(error.message).toContain('--config');
    expect(error.message).not.toContain('hidden');
  });
});
