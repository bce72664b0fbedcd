// Message ids: 17 bytes as 34 upper-case hex digits, as the official clients make them.

import type { Random } from '../support/random.js';

/** 2021-01-01T00:00:00Z, from which ids count their seconds. */
const ID_EPOCH_MS = 1_609_459_200_000;

/** Makes ids that are unique among all generators: version 01, six node bytes, process, second, sequence. */
export class MessageIdGenerator {
  private readonly prefix: string;
  private sequence = 0;

  /** The node part is random: a container's MAC address often repeats. */
  constructor(random: Random, processId: number) {
    const pid = Buffer.alloc(2);
    pid.writeUInt16BE(processId & 0xffff);
    this.prefix = `01${Buffer.concat([random.bytes(6), pid]).toString('hex')}`;
  }

  next(nowMs: number): string {
    const tail = Buffer.alloc(8);
    tail.writeUInt32BE(Math.floor((nowMs - ID_EPOCH_MS) / 1000) >>> 0, 0);
    tail.writeUInt32BE(this.sequence, 4);
    this.sequence = (this.sequence + 1) >>> 0;
    return (this.prefix + tail.toString('hex')).toUpperCase();
  }
}
