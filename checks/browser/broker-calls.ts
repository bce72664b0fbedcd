// Counts what an embedded broker of this process is asked: requests to its name server port and to its control port, on the wire.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

const ACCEPTED = 'net.server.socket';
const ASKED = 'http.server.request.start';
/** Each frame of the remoting protocol begins with the number of bytes that follow. */
const LENGTH_BYTES = 4;

export class BrokerCalls {
  readonly onSocket: (message: unknown) => void;
  readonly onRequest: (message: unknown) => void;

  /** Since it was started, or since the last {@link take}. */
  #count = 0;
  #sinceMs = performance.now();

  constructor({ nameServerPort, controlPort }: { nameServerPort: number; controlPort: number }) {
    this.onSocket = (message: unknown) => {
      const { socket } = message as { socket: Socket };
      if (socket.localPort === nameServerPort) this.#watch(socket);
    };
    this.onRequest = (message: unknown) => {
      const { socket } = message as { socket: Socket };
      if (socket.localPort === controlPort) this.#count++;
    };
    subscribe(ACCEPTED, this.onSocket);
    subscribe(ASKED, this.onRequest);
  }

  /** @returns what was counted per minute */
  take() {
    const nowMs = performance.now();
    const perMinute = (this.#count / (nowMs - this.#sinceMs)) * 60_000;
    this.#count = 0;
    this.#sinceMs = nowMs;
    return perMinute;
  }

  stop(): void {
    unsubscribe(ACCEPTED, this.onSocket);
    unsubscribe(ASKED, this.onRequest);
  }

  /** Sees what the broker reads, and reads nothing itself. */
  #watch(socket: Socket): void {
    let rest = Buffer.alloc(0);
    const emit = socket.emit.bind(socket);
    socket.emit = (name: string | symbol, ...values: unknown[]) => {
      if (name === 'data') {
        rest = Buffer.concat([rest, values[0] as Buffer]);
        while (rest.length >= LENGTH_BYTES && rest.length >= LENGTH_BYTES + rest.readUInt32BE(0)) {
          rest = rest.subarray(LENGTH_BYTES + rest.readUInt32BE(0));
          this.#count++;
        }
      }
      return emit(name, ...values);
    };
  }
}
