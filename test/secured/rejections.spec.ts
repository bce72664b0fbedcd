// The answers of a server to unauthorized callers, RPC by RPC, with a raw client.

import { createHmac } from 'node:crypto';
import { describe, expect } from '@jest/globals';
import type { BrokerPermission } from 'nestjs-rocketmq/broker';
import { ClientType } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { codeName } from '../../libs/rocketmq/src/protocol/grpc/status.js';
import {
  consumerSettings,
  producerSettings,
  RawClient,
  receiveRequest,
  resource,
} from '../../tools/wire/raw-grpc-client.js';
import { contractSuite } from '../contract/support/contract.js';
import { codeOf, codeOfReceive, codeOfSettings, messageOf } from '../contract/support/question.js';
import type { World } from '../contract/support/world.js';
import { type SecuredBackend, startSecured } from './support/secured-backend.js';

const contract = contractSuite(startSecured);

const SECRET = 'its secret';
const DATE_TIME = '20260101T000000Z';

function signature(accessKey: string, secretKey = SECRET): Record<string, string> {
  const signed = createHmac('sha1', secretKey).update(DATE_TIME).digest('hex');
  const authorization = `MQv2-HMAC-SHA1 Credential=${accessKey}, SignedHeaders=x-mq-date-time, Signature=${signed}`;
  return { 'x-mq-date-time': DATE_TIME, authorization };
}

/** A client with this metadata; without metadata, it does not sign. */
async function withClient<T>(
  world: World,
  metadata: Record<string, string>,
  use: (client: RawClient) => Promise<T>,
  clientId = world.name(),
): Promise<T> {
  const backend = world.backend as SecuredBackend;
  const client = new RawClient(backend.proxy, clientId, metadata, backend.ca);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

async function asUser<T>(
  world: World,
  permissions: BrokerPermission[],
  use: (client: RawClient, accessKey: string) => Promise<T>,
  clientId = world.name(),
): Promise<T> {
  const accessKey = world.name();
  await (world.backend as SecuredBackend).declareUser({ accessKey, secretKey: SECRET, permissions });
  return withClient(world, signature(accessKey), (client) => use(client, accessKey), clientId);
}

describe('a user without permissions is rejected', () => {
  const topic = resource('a-topic');
  const group = resource('a-group');
  const ids = { messageId: 'id', receiptHandle: 'handle' };
  const asks: Record<string, (world: World, client: RawClient) => Promise<string>> = {
    queryRoute: (_, client) => codeOf(client, 'queryRoute', { topic }),
    sendMessage: (world, client) => codeOf(client, 'sendMessage', { messages: [messageOf(world, 'a-topic')] }),
    'sendMessage of nothing': (_, client) => codeOf(client, 'sendMessage', { messages: [] }),
    recallMessage: (_, client) => codeOf(client, 'recallMessage', { topic, recallHandle: 'handle' }),
    endTransaction: (_, client) => codeOf(client, 'endTransaction', { topic, messageId: 'id', transactionId: 'id' }),
    'heartbeat of a consumer': (_, client) =>
      codeOf(client, 'heartbeat', { group, clientType: ClientType.PUSH_CONSUMER }),
    queryAssignment: (_, client) => codeOf(client, 'queryAssignment', { topic, group }),
    receiveMessage: (_, client) => codeOfReceive(client, receiveRequest('a-topic', 'a-group')),
    ackMessage: (_, client) => codeOf(client, 'ackMessage', { topic, group, entries: [ids] }),
    changeInvisibleDuration: (_, client) => codeOf(client, 'changeInvisibleDuration', { topic, group, ...ids }),
    forwardMessageToDeadLetterQueue: (_, client) =>
      codeOf(client, 'forwardMessageToDeadLetterQueue', { topic, group, ...ids }),
    syncLiteSubscription: (_, client) => codeOf(client, 'syncLiteSubscription', { topic, group }),
    'notifyClientTermination of a consumer': (_, client) => codeOf(client, 'notifyClientTermination', { group }),
    'telemetry of a producer': (_, client) => codeOfSettings(client, producerSettings('a-topic')),
    'telemetry of a consumer': (_, client) => codeOfSettings(client, consumerSettings('a-group')),
  };
  for (const [what, ask] of Object.entries(asks)) {
    contract.answers(`${what}: without a permission`, 'UNAUTHORIZED', (world) =>
      asUser(world, [], (client) => ask(world, client)),
    );
    contract.answers(`${what}: without a signature`, 'UNAUTHORIZED', (world) =>
      withClient(world, {}, (client) => ask(world, client)),
    );
  }
});

describe('what needs no permission', () => {
  contract.answers('the heartbeat of a producer', 'UNRECOGNIZED_CLIENT_TYPE', (world) =>
    asUser(world, [], (client) => codeOf(client, 'heartbeat', { clientType: ClientType.PRODUCER })),
  );
  contract.answers('the goodbye of a producer', 'UNRECOGNIZED_CLIENT_TYPE', (world) =>
    asUser(world, [], (client) => codeOf(client, 'notifyClientTermination', {})),
  );
  contract.answers('the telemetry of a producer without topics', 'OK', (world) =>
    asUser(world, [], (client) => codeOfSettings(client, producerSettings())),
  );
});

describe('a user', () => {
  /** A connected consumer, and requests with its client id from a user without permission. */
  const under = async (world: World, doHarm: (client: RawClient) => Promise<string>): Promise<string> => {
    const group = await world.group();
    return asUser(world, [{ resource: `Group:${group}`, actions: ['Sub'] }], async (victim) => {
      expect(await codeOfSettings(victim, consumerSettings(group))).toBe('OK');
      const said = await asUser(world, [], (stranger) => doHarm(stranger), victim.clientId);
      const consumer = { group: resource(group), clientType: ClientType.SIMPLE_CONSUMER };
      return `${said}, then ${await codeOf(victim, 'heartbeat', consumer)}`;
    });
  };
  contract.answers('a client is not ended by a user without permissions', 'UNAUTHORIZED, then OK', (world) =>
    under(world, (stranger) => codeOf(stranger, 'notifyClientTermination', {})),
  );
  contract.answers('a client is not replaced by a user without permissions', 'UNAUTHORIZED, then OK', (world) =>
    under(world, (stranger) => codeOfSettings(stranger, producerSettings())),
  );
});

describe('a signature', () => {
  const textOf = (world: World, metadata: Record<string, string>): Promise<string> =>
    withClient(world, metadata, async (client) => {
      const { status } = await client.call('queryRoute', { topic: resource('a-topic') });
      return `${codeName(status?.code ?? 0)} ${status?.message}`;
    });

  contract.answers('is missing, as is the client id', 'UNAUTHORIZED', async (world) => {
    const { proxy, ca } = world.backend as SecuredBackend;
    const client = new RawClient(proxy, '', {}, ca);
    try {
      return await codeOf(client, 'queryRoute', { topic: resource('a-topic') });
    } finally {
      client.close();
    }
  });
  contract.answers('is missing', 'UNAUTHORIZED username cannot be null.', (world) => textOf(world, {}));
  contract.answers('is of nobody', 'UNAUTHORIZED User:nobody is not found.', (world) =>
    textOf(world, signature('nobody')),
  );
  contract.answers('is of another key', 'UNAUTHORIZED check signature failed.', (world) => {
    const { administrator } = world.backend as SecuredBackend;
    return textOf(world, signature(administrator.accessKey, 'another'));
  });
  contract.answers('has no form', 'UNAUTHORIZED authentication header is incorrect.', (world) =>
    textOf(world, { ...signature('x'), authorization: 'nonsense' }),
  );
  contract.answers('has no time', 'UNAUTHORIZED datetime is null.', (world) =>
    textOf(world, { authorization: signature('x').authorization ?? '' }),
  );
  contract.answers('is good for as long as its key: the server does not look at its clock', 'OK', async (world) => {
    const topic = await world.topic();
    return asUser(world, [{ resource: `Topic:${topic}`, actions: ['Pub'] }], (client) =>
      codeOf(client, 'queryRoute', { topic: resource(topic) }),
    );
  });
});

describe('a permission', () => {
  contract('that is missing is named with the user, the resource and the caller', async (world) => {
    const topic = await world.topic();
    await asUser(world, [{ resource: `Topic:${topic}`, actions: ['Sub'] }], async (client, accessKey) => {
      const { status } = await client.call('sendMessage', { messages: [messageOf(world, topic)] });
      const text = `User:${accessKey} has no permission to access Topic:${topic} from 127.0.0.1, no matched policies.`;
      expect(status?.message).toBe(text);
    });
  });

  contract.answers('for names that begin alike', 'OK', async (world) => {
    const topic = await world.topic();
    return asUser(world, [{ resource: `Topic:${topic.slice(0, -1)}*`, actions: ['Pub'] }], (client) =>
      codeOf(client, 'sendMessage', { messages: [messageOf(world, topic)] }),
    );
  });

  contract('that is denied says so', async (world) => {
    const topic = await world.topic();
    const permissions: BrokerPermission[] = [
      { resource: 'Topic:*', actions: ['All'] },
      { resource: `Topic:${topic}`, actions: ['Pub'], decision: 'deny' },
    ];
    await asUser(world, permissions, async (client, accessKey) => {
      const { status } = await client.call('sendMessage', { messages: [messageOf(world, topic)] });
      const text = `User:${accessKey} has no permission to access Topic:${topic} from 127.0.0.1, the decision is deny.`;
      expect(status?.message).toBe(text);
    });
  });
});

describe('the telemetry stream', () => {
  contract('is checked again at each of the settings, by the key that it was opened with', async (world) => {
    const backend = world.backend as SecuredBackend;
    await asUser(world, [], async (client, accessKey) => {
      const { call } = await client.settle(producerSettings());
      await backend.removeUser(accessKey);
      const answers: (number | undefined)[] = [];
      const ended = new Promise<void>((resolve) => {
        call.on('data', ({ status }) => answers.push(status?.code));
        call.once('end', resolve);
      });
      call.write({ command: { $case: 'settings', value: producerSettings() } });
      await ended;
      expect(answers.map((code) => codeName(code ?? 0))).toEqual(['UNAUTHORIZED']);
    });
  });
});
