// For specs only: a TCP server that answers remoting requests as a test scripts it.

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';

/** A request as the test sees it. */
export interface ScriptedRequest {
  readonly code: number;
  readonly opaque: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Handles a request: returns an answer, or uses the socket directly. */
export type ScriptedReply =
  | {
      readonly code?: number;
      /** The release of the server. Default: it does not say. */
      readonly version?: number;
      readonly remark?: string;
      readonly fields?: Readonly<Record<string, string>>;
      readonly body?: string | Buffer;
    }
  | undefined;

export interface ScriptedServer {
  readonly address: string;
  /** All requests so far, in order. */
  readonly requests: readonly ScriptedRequest[];
  close(): Promise<void>;
}

/** The first bytes of TLS, and of HTTP/2. */
const PROBES: readonly (number | undefined)[] = [0x16, 0x50];

/** Starts a server that hands each request to `reply`; undefined leaves it unanswered. */
export async function startScriptedServer(
  reply: (request: ScriptedRequest, socket: Socket) => ScriptedReply,
): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  const requests: ScriptedRequest[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    // Requests are small, so each chunk contains one or more complete requests.
    socket.on('data', (chunk) => {
      // A client that was disconnected may ask what else the server speaks.
      if (PROBES.includes(chunk[0])) {
        socket.destroy();
        return;
      }
      for (const request of readRequests(chunk)) {
        requests.push(request);
        const answer = reply(request, socket);
        if (answer !== undefined) socket.write(encodeAnswer(request.opaque, answer));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, requests, close: () => closeAll(server, sockets) };
}

/** Encodes a complete answer frame. */
export function encodeAnswer(opaque: number, answer: NonNullable<ScriptedReply>): Buffer {
  const { code = 0, version, remark, fields: extFields } = answer;
  const body = Buffer.from(answer.body ?? '');
  const header = Buffer.from(JSON.stringify({ code, opaque, flag: 1, version, remark, extFields }));
  const prefix = Buffer.alloc(8);
  prefix.writeInt32BE(4 + header.length + body.length, 0);
  prefix.writeInt32BE(header.length, 4);
  return Buffer.concat([prefix, header, body]);
}

function readRequests(chunk: Buffer): ScriptedRequest[] {
  const found: ScriptedRequest[] = [];
  for (let at = 0; at < chunk.length; ) {
    const end = at + 4 + chunk.readInt32BE(at);
    const bodyStart = at + 8 + chunk.readInt32BE(at + 4);
    const header = JSON.parse(chunk.subarray(at + 8, bodyStart).toString());
    const body = chunk.subarray(bodyStart, end).toString();
    found.push({ code: header.code, opaque: header.opaque, fields: header.extFields, body });
    at = end;
  }
  return found;
}

function closeAll(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  return new Promise((resolve) => server.close(() => resolve()));
}
