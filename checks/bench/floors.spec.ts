// Checks the requests of the floor loops with the library's own decoders, and the socket floor on an embedded broker.

import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import {
  AckMessageRequest,
  QueryAssignmentRequest,
  QueryAssignmentResponse,
  ReceiveMessageRequest,
  ReceiveMessageResponse,
  SendMessageRequest,
  SendMessageResponse,
  TelemetryCommand,
} from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { columnOf } from './columns.js';
import { runClient } from './lib/client-process.js';
import { fill } from './workloads/floors/fill.mjs';
import { ackEntryOf, messageOf } from './workloads/floors/received.mjs';
import * as requests from './workloads/floors/requests.mjs';

const names = { topic: 'topic', group: 'group' };
const queueOf = (id: number) => ({ topic: { resourceNamespace: '', name: 'topic' }, id });

describe('the floors', () => {
  it('send the requested number of messages per request, each with its own id', () => {
    const body = Buffer.alloc(300, 'x');
    const { messages } = SendMessageRequest.decode(requests.sendRequest({ topic: 'topic', body, perRequest: 3 }));
    expect(messages.map((one) => [one.topic?.name, Buffer.from(one.body).equals(body)])).toEqual(
      Array.from({ length: 3 }, () => ['topic', true]),
    );
    const next = SendMessageRequest.decode(requests.sendRequest({ topic: 'topic', body, perRequest: 3, firstId: 3 }));
    const ids = [...messages, ...next.messages].map((one) => one.systemProperties?.messageId);
    expect(new Set(ids).size).toBe(6);
    expect(ids.every((id) => id?.length === 34)).toBe(true);
  });

  it('subscribe like a push consumer and poll its queue', () => {
    const { command } = TelemetryCommand.decode(requests.consumerSettings(names));
    expect(command).toMatchObject({
      $case: 'settings',
      value: {
        clientType: 2,
        pubSub: {
          $case: 'subscription',
          value: { group: { name: 'group' }, subscriptions: [{ topic: { name: 'topic' } }] },
        },
      },
    });
    const asked = QueryAssignmentRequest.decode(requests.assignmentRequest({ ...names, endpoints: '127.0.0.1:8081' }));
    expect(asked.endpoints?.addresses).toEqual([{ host: '127.0.0.1', port: 8081 }]);
    const answer = QueryAssignmentResponse.encode(
      QueryAssignmentResponse.fromPartial({
        assignments: [{ messageQueue: queueOf(4) }, { messageQueue: queueOf(5) }],
      }),
    ).finish();
    const queue = requests.firstQueue(Buffer.from(answer));
    const received = ReceiveMessageRequest.decode(requests.receiveRequest({ group: 'group', queue }));
    expect(received).toMatchObject({
      batchSize: 32,
      autoRenew: false,
      messageQueue: { id: 4 },
      group: { name: 'group' },
    });
    expect(received.invisibleDuration?.seconds).toBe(60n);
  });

  it('read what they receive, and ack it', () => {
    const delivered = (messageId: string, receiptHandle: string) =>
      Buffer.from(
        ReceiveMessageResponse.encode(
          ReceiveMessageResponse.fromPartial({
            content: {
              $case: 'message',
              value: { body: Buffer.alloc(2_000), systemProperties: { messageId, receiptHandle, queueId: 3 } },
            },
          }),
        ).finish(),
      );
    const received = [delivered('a', '1 2 3'), delivered('b', '4 5 6')].map(messageOf);
    const entries = received.flatMap((one) => (one === null ? [] : [ackEntryOf(one)]));
    const status = ReceiveMessageResponse.fromPartial({ content: { $case: 'status', value: { code: 20000 } } });
    expect(messageOf(Buffer.from(ReceiveMessageResponse.encode(status).finish()))).toBeNull();
    const ack = AckMessageRequest.decode(requests.ackRequest(requests.ackHead(names), entries));
    expect(ack).toMatchObject({
      group: { name: 'group' },
      topic: { name: 'topic' },
      entries: [
        { messageId: 'a', receiptHandle: '1 2 3' },
        { messageId: 'b', receiptHandle: '4 5 6' },
      ],
    });
  });

  it('fail when the server returns an error', () => {
    const answer = (code: number) =>
      Buffer.from(
        SendMessageResponse.encode(SendMessageResponse.fromPartial({ status: { code, message: 'm' } })).finish(),
      );
    expect(() => requests.assertOk(answer(20000))).not.toThrow();
    for (const code of [30000, 40402, 50001]) expect(() => requests.assertOk(answer(code))).toThrow('rejected');
  });
});

describe('the socket floor', () => {
  let broker: EmbeddedBroker;

  beforeAll(async () => {
    const names = ['socket', 'socket-remoting'];
    broker = new EmbeddedBroker({
      nameServerPort: 0,
      topics: names.map((name) => ({ name, type: 'normal' })),
      groups: names.map((name) => ({ name })),
    });
    await broker.start();
  });
  afterAll(() => broker.stop());

  it.each(['socket', 'socket-remoting'])('counts what is answered, and what it drains: %s', async (topic) => {
    const endpoints = topic === 'socket' ? broker.endpoints : `name-server:${broker.nameServerEndpoint}`;
    const run = (task: object) =>
      runClient(
        columnOf(topic),
        { endpoints, topic, group: topic, bodyBytes: 1024, warmUp: 100, ...task },
        { timeoutMs: 60_000, home: tmpdir(), signal: new AbortController().signal },
      );
    // More than the window of a connection holds, as HTTP/2 has it at first.
    expect(await run({ workload: 'send', inFlight: 200, count: 300 })).toMatchObject({ messages: 300 });
    await fill(broker.endpoints, { topic, bodyBytes: 1024, count: 400 });
    const { messages } = await run({ workload: 'drain', count: 500 });
    expect(messages).toBeGreaterThanOrEqual(500);
  });
});
