// A low-level gRPC client on node:http2, to send what no client library would.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';

/** The response on one stream. */
export interface PeerAnswer {
  readonly headers: IncomingHttpHeaders;
  /** For a trailers-only response, its headers. */
  readonly status: string | undefined;
  readonly message: string | undefined;
  readonly data: Buffer;
  /** The HTTP/2 code with which the stream was closed. */
  readonly resetCode: number | undefined;
}

/** One message with gRPC's prefix. `flags` 1: compressed. */
export function framed(message: Uint8Array, flags = 0, length = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flags;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

export class Http2Peer {
  readonly session: ClientHttp2Session;
  readonly closed: Promise<void>;
  goaways = 0;

  constructor(endpoints: string) {
    this.session = connect(`http://${endpoints}`);
    this.session.on('error', () => {});
    this.session.on('goaway', () => this.goaways++);
    this.closed = new Promise((resolve) => this.session.once('close', resolve));
  }

  open(path: string, headers: Record<string, string> = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'x-mq-client-id': 'peer',
      'x-mq-language': 'GO',
      ...headers,
    });
    stream.on('error', () => {});
    return stream;
  }

  /** Sends the pieces, half-closes, and waits for the end of the stream. */
  async call(path: string, pieces: readonly Buffer[], headers: Record<string, string> = {}): Promise<PeerAnswer> {
    const stream = this.open(path, headers);
    const answer = answerOn(stream);
    for (const piece of pieces) stream.write(piece);
    stream.end();
    return answer;
  }

  close(): void {
    this.session.destroy();
  }
}

/** Collects the response until the stream is closed. */
export function answerOn(stream: ClientHttp2Stream): Promise<PeerAnswer> {
  return new Promise((resolve) => {
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const pieces: Buffer[] = [];
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('trailers', (received) => {
      trailers = received;
    });
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.once('close', () => {
      const all = { ...headers, ...trailers };
      const text = (name: string): string | undefined => all[name] as string | undefined;
      const data = Buffer.concat(pieces);
      resolve({
        headers,
        status: text('grpc-status'),
        message: text('grpc-message'),
        data,
        resetCode: stream.rstCode,
      });
    });
  });
}
