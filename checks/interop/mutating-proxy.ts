// A proxy that spoils what a broker delivers: the comparison must notice. It forwards HTTP/2 streams as they are, and
// changes only the messages of ReceiveMessage answers.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { ReceiveMessageResponse } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/service.js';

export type Mutation = 'attempt' | 'tag' | 'order';

const LOOPBACK = '127.0.0.1';
const RECEIVE = '/apache.rocketmq.v2.MessagingService/ReceiveMessage';
const FRAME_HEADER_BYTES = 5;
const { HTTP2_HEADER_PATH, NGHTTP2_CANCEL } = constants;

/** What each does to the responses of one stream. */
export const MUTATIONS: Record<Mutation, (responses: ReceiveMessageResponse[]) => void> = {
  attempt(responses) {
    for (const properties of propertiesOf(responses))
      properties.deliveryAttempt = (properties.deliveryAttempt ?? 0) + 1;
  },
  tag(responses) {
    for (const properties of propertiesOf(responses)) properties.tag = undefined;
  },
  order(responses) {
    const [first, second] = responses.filter(({ content }) => content?.$case === 'message');
    if (first === undefined || second === undefined) return;
    [first.content, second.content] = [second.content, first.content];
  },
};

function propertiesOf(responses: readonly ReceiveMessageResponse[]) {
  return responses.flatMap(({ content }) =>
    content?.$case === 'message' ? (content.value.systemProperties ?? []) : [],
  );
}

export async function startMutatingProxy(
  mutation: Mutation,
): Promise<{ address: { host: string; port: number }; forwardTo(endpoints: string): void; close(): Promise<void> }> {
  const server = createServer();
  const sessions = new Set<Http2Session>();
  let target = '';
  server.on('session', (downstream) => {
    const upstream = connect(target);
    for (const session of [downstream, upstream]) {
      sessions.add(session);
      session.on('error', () => {});
      session.once('close', () => sessions.delete(session));
    }
    downstream.once('close', () => upstream.destroy());
    upstream.once('close', () => downstream.destroy());
    downstream.on('stream', (stream, headers) => forward(stream, headers, upstream, MUTATIONS[mutation]));
  });
  await new Promise((resolve) => server.listen(0, LOOPBACK, () => resolve(undefined)));
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: LOOPBACK, port },
    forwardTo: (endpoints) => {
      target = `http://${endpoints}`;
    },
    close: async () => {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forward(
  downstream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  upstream: ClientHttp2Session,
  mutate: (responses: ReceiveMessageResponse[]) => void,
): void {
  const request = upstream.request(headers, { waitForTrailers: true });
  const isReceive = headers[HTTP2_HEADER_PATH] === RECEIVE;
  downstream.pipe(request);
  let trailers: OutgoingHttpHeaders = {};
  downstream.on('wantTrailers', () => downstream.sendTrailers(trailers));
  request.on('trailers', (received) => {
    trailers = received;
  });
  request.on('response', (response, flags) => {
    const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    downstream.respond(response, { endStream, waitForTrailers: !endStream });
    if (endStream) return;
    if (isReceive) forwardMutated(request, downstream, mutate);
    else request.pipe(downstream);
  });
  // Either side's end by force is the other's.
  downstream.on('aborted', () => request.close(NGHTTP2_CANCEL));
  request.on('aborted', () => downstream.close(NGHTTP2_CANCEL));
  for (const stream of [downstream, request]) stream.on('error', () => {});
}

/** Waits for the whole stream: clients hand messages on when it has ended, so nobody is kept waiting by it. */
function forwardMutated(
  request: ClientHttp2Stream,
  downstream: ServerHttp2Stream,
  mutate: (responses: ReceiveMessageResponse[]) => void,
): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const responses = frames(Buffer.concat(chunks)).map((bytes) => ReceiveMessageResponse.decode(bytes));
    mutate(responses);
    downstream.end(Buffer.concat(responses.map(frame)));
  });
}

/** @param bytes gRPC frames without compression */
function frames(bytes: Buffer) {
  const found = [];
  for (let at = 0; at + FRAME_HEADER_BYTES <= bytes.length; ) {
    const end = at + FRAME_HEADER_BYTES + bytes.readUInt32BE(at + 1);
    found.push(bytes.subarray(at + FRAME_HEADER_BYTES, end));
    at = end;
  }
  return found;
}

function frame(response: ReceiveMessageResponse) {
  const bytes = ReceiveMessageResponse.encode(response).finish();
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}
