// Addresses with a user and a password in them: every option that takes an address rejects them, and no error quotes the password.

import { describe, expect, it } from '@jest/globals';
import { call, words } from '../../../../test/fixtures/command-line.js';
import { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { ControlClient } from '../broker/control/control-client.js';
import { EmbeddedBroker } from '../broker/embedded-broker.js';
import { Connection } from '../client/connection.js';

const HOST = 'root:open-sesame@127.0.0.1:1';
const FORMS = [
  HOST,
  `http://${HOST}`,
  `127.0.0.1:1;${HOST}`,
  'root:open-sesame@127.0.0.1',
  'root:open@sesame;open-sesame@h:1',
];
/** Where an address has no place for a password, either. */
const STRANGE_FORMS = [
  '127.0.0.1:1?password=open-sesame',
  '127.0.0.1:1/open-sesame',
  'root:open%40open-sesame',
  'root:open-sesame',
  `${HOST}?password=open-sesame`,
  '[::1]:1;[::1]:1#open-sesame',
];

describe('an address with a password', () => {
  it.each(FORMS)('%s is rejected by every option of the library, and not quoted', (address) => {
    const nameServer = '127.0.0.1:1';
    const attempts = [
      () => new Connection({ endpoints: address }),
      () => new Connection({ endpoints: `name-server:${address}` }),
      () => new RocketMQAdmin({ nameServer: address }),
      () => new RocketMQAdmin({ nameServer, proxies: address }),
      () => new ControlClient({ endpoint: address }),
    ];
    for (const attempt of attempts) {
      expect(attempt).toThrow(/ILLEGAL_\w+\].*user and password/);
      expect(attempt).not.toThrow(/sesame[^@]/);
    }
  });

  it.each(STRANGE_FORMS)(
    '%s is rejected by every option of the library, and quoted without the password',
    (address) => {
      const attempts = [
        () => new Connection({ endpoints: address }),
        () => new Connection({ endpoints: `name-server:${address}` }),
        () => new RocketMQAdmin({ nameServer: address }),
        () => new RocketMQAdmin({ nameServer: '127.0.0.1:1', proxies: address }),
        () => new ControlClient({ endpoint: address }),
        () => new ControlClient({ endpoint: `https://${address}` }),
      ];
      for (const attempt of attempts) {
        expect(attempt).toThrow(/ILLEGAL_\w+\]/);
        expect(attempt).not.toThrow('sesame');
      }
    },
  );

  it.each([...FORMS, ...STRANGE_FORMS])('%s is not quoted by options that take no address', (address) => {
    const attempts = [
      () => new EmbeddedBroker({ host: address }),
      () => new EmbeddedBroker({ controlHost: address }),
      () => new EmbeddedBroker({ advertisedAddress: { host: address, port: 1 } }),
      () => new Connection({ endpoints: '127.0.0.1:1', addressMapping: address as never }),
      () => new ControlClient({ endpoint: '127.0.0.1:1', credentials: address as never }),
    ];
    for (const attempt of attempts) {
      expect(attempt).toThrow('ILLEGAL_OPTION');
      expect(attempt).not.toThrow('sesame');
    }
  });

  it.each([
    `broker --host ${HOST}`,
    `topic list --name-server 127.0.0.1:1?password=open-sesame`,
    `topic list --name-server ${HOST}`,
    `topic list --name-sever=${HOST}`,
    `topic list --json --name-server ${HOST}`,
    `doctor ${HOST}`,
    `doctor name-server:${HOST}`,
    `doctor 127.0.0.1:1 --timeout 200 --admin ${HOST}`,
    `broker --control ${HOST}`,
    `broker --port ${HOST}`,
  ])('is a wrong call, and is not quoted: %s', async (line) => {
    const { code, out, err } = await call(words(line));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).not.toContain('open-sesame');
  });

  it('is not quoted when it is in the environment', async () => {
    process.env.ROCKETMQ_NAME_SERVER = HOST;
    const { code, err } = await call(['topic', 'list']).finally(() => delete process.env.ROCKETMQ_NAME_SERVER);
    expect(code).toBe(2);
    expect(err).not.toContain('open-sesame');
  });
});

describe('an address', () => {
  it.each(['host:99999', 'host:0', 'host', 'name-server:host:1', ''])(
    'that cannot be one is a wrong call: "%s"',
    async (address) => {
      const { code, err } = await call(['topic', 'list', '--name-server', address]);
      expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('[ILLEGAL_NAME_SERVER]') });
    },
  );

  it.each(['0.0.0.0', '::', '::1', 'fe80::1%lo', 'localhost', 'broker-a.internal', 'my_host'])(
    'can be listened on: %s',
    (host) => {
      expect(() => new EmbeddedBroker({ host, controlHost: host })).not.toThrow();
    },
  );

  it.each(['host', 'host:99999', '::1:8081', 'ftp://host:1', 'a:1;b'])('is quoted: "%s"', (address) => {
    expect(() => new RocketMQAdmin({ nameServer: address })).toThrow(`nameServer "${address}":`);
  });

  it.each(['127.0.0.1:80', 'http://127.0.0.1:80/', '[::1]:443', 'HTTPS://broker:443'])(
    'of a control port: %s',
    (endpoint) => {
      expect(() => new ControlClient({ endpoint })).not.toThrow();
    },
  );

  it.each(['', 'host', 'host:1;host:2', 'host:1/path', 'ftp://host:1'])('of no control port: "%s"', (endpoint) => {
    expect(() => new ControlClient({ endpoint })).toThrow('[ILLEGAL_ENDPOINT]');
  });
});
