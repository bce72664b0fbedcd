// A client of the remoting protocol that sends what a test says, frame by frame, and keeps what the broker sends it.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  encodeFrame,
  FrameDecoder,
  type OutgoingFrame,
  type RemotingFrame,
} from '../../libs/rocketmq/src/protocol/remoting/frame.js';

type Request = Omit<OutgoingFrame, 'opaque'>;

interface Asked {
  resolve(answer: RemotingFrame): void;
  reject(error: Error): void;
}

/** One connection. */
export class RawRemotingClient {
  /** What the broker asked, in order. */
  readonly requests: RemotingFrame[] = [];
  /** Answers a request of the broker. Default: it is not answered. */
  answers: ((request: RemotingFrame) => Request) | undefined;
  private readonly waiting = new Map<number, Asked>();
  private opaque = 0;

  private constructor(private readonly socket: Socket) {
    const decoder = new FrameDecoder();
    socket.on('data', (chunk: Buffer) => {
      for (const frame of decoder.push(chunk)) {
        if (frame.isResponse) this.waiting.get(frame.opaque)?.resolve(frame);
        else {
          this.requests.push(frame);
          const answer = frame.isOneWay ? undefined : this.answers?.(frame);
          if (answer !== undefined) socket.write(encodeFrame({ ...answer, isResponse: true, opaque: frame.opaque }));
        }
      }
    });
    socket.once('close', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the connection ended without an answer'));
    });
  }

  /** @param endpoint `host:port` */
  static async connect(endpoint: string): Promise<RawRemotingClient> {
    const at = endpoint.lastIndexOf(':');
    const socket = connect(Number(endpoint.slice(at + 1)), endpoint.slice(0, at));
    await once(socket, 'connect');
    return new RawRemotingClient(socket);
  }

  ask(request: Request): Promise<RemotingFrame> {
    const opaque = ++this.opaque;
    return new Promise((resolve, reject) => {
      this.waiting.set(opaque, { resolve, reject });
      this.socket.write(encodeFrame({ version: 407, ...request, opaque }));
    });
  }

  /** Sends a request that is not answered. */
  sendOneWay(request: Request): void {
    this.socket.write(encodeFrame({ version: 407, ...request, isOneWay: true, opaque: ++this.opaque }));
  }

  close(): void {
    this.socket.destroy();
  }
}
