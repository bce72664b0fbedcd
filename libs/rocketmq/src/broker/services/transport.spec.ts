import { afterEach, describe, expect, it } from '@jest/globals';
import { BrokerWire, messagesIn } from '../../../../../tools/wire/broker-wire.js';
import { answerOn, framed, Http2Peer } from '../../../../../tools/wire/http2-peer.js';
import { grpcStatus, message, producerSettings, receiveRequest } from '../../../../../tools/wire/raw-grpc-client.js';
import { Code, MessageType, SystemProperties } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { type RpcName, type RpcRequest, rpcMethod } from '../../protocol/grpc/rpc.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';

const wire = new BrokerWire();
const peers: Http2Peer[] = [];

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.close();
  await wire.close();
});

async function peerOf(options: EmbeddedBrokerOptions = {}): Promise<Http2Peer> {
  const peer = new Http2Peer((await wire.broker(options)).endpoints);
  peers.push(peer);
  return peer;
}

function bytesOf<N extends RpcName>(name: N, request: Partial<RpcRequest<N>>): Buffer {
  const codec = rpcMethod(name).request;
  return framed(codec.encode({ ...codec.decode(new Uint8Array()), ...request }).finish());
}

describe('the gRPC port of the broker', () => {
  it('keeps a telemetry stream with a deadline in 60 years, as the Java client sends it, and one without a deadline', async () => {
    const peer = await peerOf();
    const settings = bytesOf('telemetry', { command: { $case: 'settings', value: producerSettings('t') } });
    for (const headers of [{ 'grpc-timeout': '31535999M' }, {}]) {
      const stream = peer.open(rpcMethod('telemetry').path, headers as Record<string, string>);
      const answer = answerOn(stream);
      stream.write(settings);
      const reply = await new Promise<Buffer>((resolve) => stream.once('data', resolve));
      expect(rpcMethod('telemetry').response.decode(reply.subarray(5)).status?.code).toBe(Code.OK);
      const other = await peer.call(rpcMethod('heartbeat').path, [bytesOf('heartbeat', { clientType: 1 })]);
      expect(rpcMethod('heartbeat').response.decode(other.data.subarray(5)).status?.code).toBe(Code.OK);
      expect(stream.closed).toBe(false);
      stream.end();
      expect((await answer).status).toBe('0');
    }
  });

  it('accepts a body of 4 MiB with the maximum of properties', async () => {
    const broker = await wire.broker();
    const full = {
      ...message('t', 'full', { tag: 'x'.repeat(1_000) }),
      body: Buffer.alloc(4 * 1024 * 1024, 7),
      userProperties: Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`p${index}`, 'x'.repeat(100)])),
    };
    const sent = await wire.client(broker).call('sendMessage', { messages: [full] });
    expect(sent.status?.code).toBe(Code.OK);
    const inbox = await wire.consumer(broker, 'g');
    const [received] = messagesIn(await inbox.receive(receiveRequest('t', 'g')));
    expect(received?.body.equals(full.body)).toBe(true);
    expect(received?.userProperties).toEqual(full.userProperties);
  });

  it('rejects a half message with an invalid birth timestamp, and continues to serve', async () => {
    const peer = await peerOf();
    const born = (seconds: readonly number[]) => {
      const system = SystemProperties.encode(
        SystemProperties.fromPartial({ messageId: 'half', messageType: MessageType.TRANSACTION }),
      ).finish();
      const systemProperties = [...system, 0x3a, seconds.length + 1, 0x08, ...seconds];
      const fields = [0x0a, 3, 0x12, 1, 0x74, 0x1a, systemProperties.length, ...systemProperties, 0x22, 1, 0x62];
      return framed(Buffer.from([0x0a, fields.length, ...fields]));
    };
    const codes: (Code | undefined)[] = [];
    // 2 ** 47 seconds are out of the range of a Date.
    for (const seconds of [[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20], [0x01]]) {
      const { data } = await peer.call(rpcMethod('sendMessage').path, [born(seconds)]);
      codes.push(rpcMethod('sendMessage').response.decode(data.subarray(5)).status?.code);
    }
    expect(codes).toEqual([Code.BAD_REQUEST, Code.OK]);
  });

  it.each<RpcName>(['sendMessage', 'receiveMessage', 'telemetry'])(
    'rejects a %s of nobody it knows by its headers: it waits for no byte of the request',
    async (rpc) => {
      const users = [{ accessKey: 'root', secretKey: 'its secret', isSuper: true }];
      const peer = await peerOf({ users });
      const stream = peer.open(rpcMethod(rpc).path);
      const { data } = await answerOn(stream);
      const answer = rpcMethod(rpc).response.decode(data.subarray(5));
      expect(JSON.stringify(answer)).toContain('username cannot be null');
    },
  );

  it('answers bytes that cannot be decoded with INTERNAL', async () => {
    const peer = await peerOf();
    const answer = await peer.call(rpcMethod('sendMessage').path, [framed(Buffer.from([0xff, 0xff, 0xff]))]);
    expect(answer.status).toBe(String(grpcStatus.INTERNAL));
  });

  it('breaks a telemetry stream whose client keeps sending commands and reads no responses', async () => {
    const peer = await peerOf();
    const stream = peer.open(rpcMethod('telemetry').path);
    stream.pause();
    const closed = new Promise((resolve) => stream.once('close', resolve));
    const publishing = { ...producerSettings('t'), clientProperties: { filling: 'x'.repeat(900_000) } };
    const ask = bytesOf('telemetry', { command: { $case: 'settings', value: publishing } });
    for (let asked = 0; asked < 60 && !stream.closed; asked++) {
      await new Promise((resolve) => stream.write(ask, resolve));
    }
    await closed;
    expect(stream.rstCode).toBe(8);
  });

  it.each<[RpcName, string, number]>([
    ['sendMessage', 'messages', 0x0a],
    ['ackMessage', 'entries', 0x1a],
    ['telemetry', 'settings', 0x0a],
    ['queryRoute', 'endpoints', 0x12],
  ])('rejects a request of %s that has two bytes for each of a million %s', async (rpc, _, tag) => {
    const peer = await peerOf();
    const answer = await peer.call(rpcMethod(rpc).path, [framed(Buffer.alloc(2_000_000, Buffer.from([tag, 0])))]);
    expect(answer.status).toBe(String(grpcStatus.RESOURCE_EXHAUSTED));
  });

  it('accepts 512 messages with the maximum of properties in one request', async () => {
    const broker = await wire.broker();
    const userProperties = Object.fromEntries(Array.from({ length: 128 }, (_, index) => [`property-${index}`, 'x']));
    const messages = Array.from({ length: 512 }, (_, index) => ({ ...message('t', `id-${index}`), userProperties }));
    expect((await wire.client(broker).call('sendMessage', { messages })).status?.code).toBe(Code.OK);
  });

  it('breaks a telemetry stream after bytes that cannot be decoded', async () => {
    const peer = await peerOf();
    const stream = peer.open(rpcMethod('telemetry').path);
    const answer = answerOn(stream);
    stream.write(framed(Buffer.from([0xff, 0xff, 0xff])));
    expect((await answer).status).toBe(String(grpcStatus.INTERNAL));
  });

  it.each(['PullMessage', 'GetOffset', 'UpdateOffset', 'QueryOffset', 'Nonsense'])(
    'does not implement %s',
    async (rpc) => {
      const peer = await peerOf();
      const answer = await peer.call(`/apache.rocketmq.v2.MessagingService/${rpc}`, [framed(Buffer.alloc(0))]);
      expect(answer.status).toBe(String(grpcStatus.UNIMPLEMENTED));
    },
  );
});
