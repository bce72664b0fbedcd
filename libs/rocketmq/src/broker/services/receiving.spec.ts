import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { BrokerWire, messagesIn, statusIn } from '../../../../../tools/wire/broker-wire.js';
import { framed, Http2Peer } from '../../../../../tools/wire/http2-peer.js';
import {
  consumerSettings,
  grpcStatus,
  message,
  receiveRequest,
  resource,
} from '../../../../../tools/wire/raw-grpc-client.js';
import { toDuration } from '../../protocol/grpc/duration.js';
import {
  ClientType,
  Code,
  type Message,
  MessageType,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { rpcMethod } from '../../protocol/grpc/rpc.js';

const wire = new BrokerWire();

afterEach(() => wire.close());

describe('sending and receiving', () => {
  it('delivers a sent message to a waiting receive and accepts its ack', async () => {
    const broker = await wire.broker();
    const inbox = await wire.consumer(broker, 'group-a');
    const waiting = inbox.receive(receiveRequest('topic-a', 'group-a'));
    const bornTimestamp = new Date(1_700_000_000_123);
    const outgoing = message('topic-a', 'id-1', { tag: 'v1', keys: ['k1', 'k2'], bornTimestamp });
    outgoing.body = Buffer.from([0, 255, 128, 10]);
    const sent = await wire.client(broker).call('sendMessage', { messages: [outgoing] });
    expect(sent.entries).toMatchObject([{ status: { code: Code.OK }, messageId: 'id-1' }]);
    const items = await waiting;
    expect(items.map(({ content }) => content?.$case)).toEqual(['status', 'message', 'deliveryTimestamp']);
    const [received] = messagesIn(items) as [Message];
    expect(received).toMatchObject({ body: outgoing.body, userProperties: { colour: 'grün' } });
    expect(received.systemProperties).toMatchObject({
      messageId: 'id-1',
      tag: 'v1',
      keys: ['k1', 'k2'],
      bornTimestamp,
      bornHost: 'spec',
      deliveryAttempt: 1,
      messageType: MessageType.NORMAL,
      bodyDigest: { checksum: createHash('md5').update(outgoing.body).digest('hex').toUpperCase() },
    });
    const receiptHandle = received.systemProperties?.receiptHandle ?? '';
    const acked = await inbox.call('ackMessage', {
      group: resource('group-a'),
      topic: resource('topic-a'),
      entries: [
        { messageId: 'id-1', receiptHandle },
        { messageId: 'id-2', receiptHandle: 'nonsense' },
      ],
    });
    expect(acked.status?.code).toBe(Code.MULTIPLE_RESULTS);
    expect(acked.entries.map(({ status }) => status?.code)).toEqual([Code.OK, Code.INVALID_RECEIPT_HANDLE]);
  });

  it('returns one entry for all messages of a request, as a proxy in cluster mode does', async () => {
    const broker = await wire.broker();
    const messages = [message('t', 'a'), message('t', 'b'), message('t', 'c')];
    const sent = await wire.client(broker).call('sendMessage', { messages });
    expect(sent.entries).toMatchObject([{ messageId: 'a,b,c', transactionId: 'a' }]);
    const inbox = await wire.consumer(broker, 'g');
    const received = messagesIn(await inbox.receive(receiveRequest('t', 'g')));
    expect(received.map(({ body }) => body.toString())).toEqual(['body of a', 'body of b', 'body of c']);
  });

  it('accepts and delivers a body of 4 MiB, and rejects one byte more', async () => {
    const broker = await wire.broker();
    const full = { ...message('t', 'full'), body: Buffer.alloc(4 * 1024 * 1024, 7) };
    const over = { ...message('t', 'over'), body: Buffer.alloc(4 * 1024 * 1024 + 1) };
    const client = wire.client(broker);
    expect((await client.call('sendMessage', { messages: [full] })).status?.code).toBe(Code.OK);
    expect((await client.call('sendMessage', { messages: [over] })).status?.code).toBe(Code.MESSAGE_BODY_TOO_LARGE);
    const inbox = await wire.consumer(broker, 'g');
    const [received] = messagesIn(await inbox.receive(receiveRequest('t', 'g')));
    expect(received?.body.equals(full.body)).toBe(true);
  });

  it('divides messages between two consumers of a group, and delivers all to each group', async () => {
    const broker = await wire.broker();
    const one = wire.client(broker, 'one');
    const two = wire.client(broker, 'two');
    await Promise.all([one.settle(consumerSettings('shared')), two.settle(consumerSettings('shared'))]);
    const other = await wire.consumer(broker, 'other');
    const request = { ...receiveRequest('t', 'shared'), batchSize: 1 };
    const both = Promise.all([one.receive(request), two.receive(request)]);
    await wire.client(broker, 'p').call('sendMessage', { messages: [message('t', 'a')] });
    await wire.client(broker, 'p').call('sendMessage', { messages: [message('t', 'b')] });
    const ids = (await both).map((items) => messagesIn(items)[0]?.systemProperties?.messageId);
    expect(ids.sort()).toEqual(['a', 'b']);
    expect(messagesIn(await other.receive(receiveRequest('t', 'other')))).not.toHaveLength(0);
  });

  it('responds at once when the filter matches none of the messages', async () => {
    const broker = await wire.broker();
    const inbox = await wire.consumer(broker, 'g');
    await wire.client(broker).call('sendMessage', { messages: [message('t', 'a', { tag: 'v1' })] });
    const items = await inbox.receive({ ...receiveRequest('t', 'g'), filterExpression: { type: 1, expression: 'v2' } });
    expect(statusIn(items)).toBe(Code.MESSAGE_NOT_FOUND);
  });

  it('ends the poll of a caller that disconnected, so that no message is delivered to it', async () => {
    const broker = await wire.broker();
    const inbox = await wire.consumer(broker, 'g');
    const controller = new AbortController();
    const gone = inbox.receive(receiveRequest('t', 'g'), { signal: controller.signal });
    const rejected = expect(gone).rejects.toMatchObject({ code: grpcStatus.CANCELLED });
    // The poll has arrived once a later call on the same connection is answered.
    await inbox.call('heartbeat', { clientType: ClientType.SIMPLE_CONSUMER, group: resource('g') });
    controller.abort();
    await rejected;
    await inbox.call('heartbeat', { clientType: ClientType.SIMPLE_CONSUMER, group: resource('g') });
    await wire.client(broker, 'p').call('sendMessage', { messages: [message('t', 'a')] });
    expect(messagesIn(await inbox.receive(receiveRequest('t', 'g')))).toHaveLength(1);
  });

  it('returns a status for a receive without settings, without or with a short deadline, or with an invalid lease', async () => {
    const broker = await wire.broker();
    const request = receiveRequest('t', 'g');
    expect(statusIn(await wire.client(broker, 'stranger').receive(request))).toBe(Code.UNRECOGNIZED_CLIENT_TYPE);
    const old = await wire.consumer(broker, 'g');
    expect(statusIn(await old.receive(request, { deadlineMs: 4_000 }))).toBe(Code.BAD_REQUEST);
    const inbox = wire.client(broker, 'new', { 'x-mq-client-version': '5.0.7' });
    await inbox.settle(consumerSettings('g'));
    expect(statusIn(await inbox.receive(request, { deadlineMs: null }))).toBe(Code.ILLEGAL_POLLING_TIME);
    expect(statusIn(await inbox.receive(request, { deadlineMs: 4_000 }))).toBe(Code.ILLEGAL_POLLING_TIME);
    const hasty = { ...request, invisibleDuration: toDuration(9_999) };
    expect(statusIn(await inbox.receive(hasty))).toBe(Code.ILLEGAL_INVISIBLE_TIME);
  });

  it('soon redelivers messages that a broken stream did not carry, as the same attempt', async () => {
    const broker = await wire.broker();
    const inbox = await wire.consumer(broker, 'g');
    const large = (id: string): Message => ({ ...message('t', id), body: Buffer.alloc(1_000_000) });
    await inbox.call('sendMessage', { messages: ['a', 'b'].map(large) });
    const peer = new Http2Peer(broker.endpoints);
    const { path, request } = rpcMethod('receiveMessage');
    const bytes = request.encode({ ...request.decode(new Uint8Array()), ...receiveRequest('t', 'g') }).finish();
    const stream = peer.open(path, { 'x-mq-client-id': 'consumer of g', 'grpc-timeout': '20S' });
    stream.pause();
    stream.end(framed(bytes));
    // The response has begun, and is blocked by the window of a client that does not read.
    await new Promise((resolve) => stream.once('response', resolve));
    peer.close();
    const items = await inbox.receive({ ...receiveRequest('t', 'g'), invisibleDuration: toDuration(60_000) });
    const attempts = messagesIn(items).map(({ systemProperties }) => systemProperties?.deliveryAttempt);
    expect(attempts).toEqual([1, 1]);
  });
});
