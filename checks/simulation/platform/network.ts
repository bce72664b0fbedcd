// The simulated network: connections that preserve order, over links that delay, lose packets and fail.

import type { SimulatedProcess, Simulation } from './simulation.js';

/** The path from one host to another, in one direction. */
interface Link {
  latencyMs: number;
  jitterMs: number;
  /** The probability that what was written must be retransmitted. */
  loss: number;
  /** Nothing arrives before this time. */
  downUntilMs: number;
}

/** The delay before a lost packet is retransmitted; it doubles each time. */
const RETRANSMIT_MS = 200;

/** One of the two ends of a connection. */
export class End {
  peer!: End;
  isClosed = false;
  bytesRead = 0;
  bytesWritten = 0;
  /** The arrival time of the last bytes, to preserve the order. */
  lastArrivalMs = 0;
  onBytes: (bytes: Buffer) => void = () => {};
  /** The connection has ended. @param error why it broke; undefined for a regular end */
  onClosed: (error: Error | undefined) => void = () => {};

  constructor(
    readonly connection: SimulatedConnection,
    readonly process: SimulatedProcess,
    private readonly isClient: boolean,
  ) {}

  send(bytes: Buffer): void {
    const { connection, peer } = this;
    const { simulation } = connection;
    if (this.isClosed || !simulation.effect()) return;
    this.bytesWritten += bytes.length;
    if (connection.isVanished) return;
    simulation.at(this.arrivalMs(), peer.process, () => {
      if (peer.isClosed || connection.isVanished) return;
      peer.bytesRead += bytes.length;
      simulation.note(bytes.length);
      peer.onBytes(bytes);
    });
  }

  /** Closes both ends: this one immediately, the other when the close arrives. */
  close(error?: Error): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const { connection, peer } = this;
    connection.ended();
    if (connection.simulation.current?.isDead !== true && !connection.isVanished) {
      connection.simulation.at(this.arrivalMs(), peer.process, () => {
        if (connection.isVanished || peer.isClosed) return;
        peer.isClosed = true;
        connection.ended();
        peer.onClosed(error);
      });
    }
    this.onClosed(error);
  }

  /** Breaks this end immediately. */
  break(error: Error): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.connection.ended();
    this.connection.simulation.at(0, this.process, () => this.onClosed(error));
  }

  private arrivalMs(): number {
    const { connection } = this;
    const travelsMs = connection.network.travelMs(connection.linkOf(this.isClient));
    this.lastArrivalMs = Math.max(this.lastArrivalMs, connection.simulation.nowMs + travelsMs);
    return this.lastArrivalMs;
  }
}

/** A TCP connection. */
export class SimulatedConnection {
  readonly client: End;
  readonly server: End;
  /** Everything is lost without notice, as when a machine is unplugged or a NAT table is cleared. */
  isVanished = false;

  constructor(
    readonly network: Network,
    readonly simulation: Simulation,
    client: SimulatedProcess,
    server: SimulatedProcess,
    /** The destination, `host:port`. */
    readonly address: string,
    readonly number: number,
  ) {
    this.client = new End(this, client, true);
    this.server = new End(this, server, false);
    this.client.peer = this.server;
    this.server.peer = this.client;
  }

  get isOpen(): boolean {
    return !this.client.isClosed && !this.server.isClosed;
  }

  /** Breaks both ends. */
  cut(): void {
    const error = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    this.client.break(error);
    this.server.break(error);
  }

  /** @internal */
  ended(): void {
    if (!this.client.isClosed || !(this.server.isClosed || this.isVanished)) return;
    if (this.network.connections.delete(this)) this.simulation.say(`connection ${this.number} is over`);
  }

  /** @internal */
  linkOf(isFromClient: boolean): Link {
    const { host } = this.client.process;
    return this.network.link(isFromClient ? `${host}>${this.address}` : `${this.address}>${host}`);
  }
}

/** The listeners, and the links between hosts. */
export class Network {
  readonly connections = new Set<SimulatedConnection>();
  private readonly listeners = new Map<string, { process: SimulatedProcess; accept(end: End): void }>();
  private readonly links = new Map<string, Link>();
  private nextNumber = 1;
  /** The initial properties of links. */
  usual: Link = { latencyMs: 0.3, jitterMs: 0.2, loss: 0, downUntilMs: 0 };
  /** Called for each connection that a client begins to open. */
  connecting: (client: SimulatedProcess, address: string) => void = () => {};

  constructor(readonly simulation: Simulation) {}

  listen(address: string, process: SimulatedProcess, accept: (end: End) => void): () => void {
    if (this.listeners.has(address)) throw Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' });
    this.listeners.set(address, { process, accept });
    const stop = (): void => {
      process.onDeath.delete(stop);
      this.listeners.delete(address);
    };
    process.onDeath.add(stop);
    return stop;
  }

  /** Opens a connection for a process. The callback gets its end of the connection, or the error. */
  connect(client: SimulatedProcess, address: string, opened: (end: End | Error) => void): () => void {
    const { simulation } = this;
    if (!simulation.effect()) return () => {};
    this.connecting(client, address);
    let isWanted = true;
    const there = this.link(`${client.host}>${address}`);
    const back = this.link(`${address}>${client.host}`);
    const reject = (): void => {
      const error = Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: 'ECONNREFUSED' });
      simulation.at(simulation.nowMs + this.travelMs(back), client, () => isWanted && opened(error));
    };
    simulation.at(simulation.nowMs + this.travelMs(there), undefined, () => {
      if (client.isDead) return;
      const listener = this.listeners.get(address);
      if (listener === undefined) return reject();
      const connection = new SimulatedConnection(
        this,
        simulation,
        client,
        listener.process,
        address,
        this.nextNumber++,
      );
      this.connections.add(connection);
      const died = (end: End): (() => void) => {
        return () => {
          end.isClosed = true;
          if (!connection.isVanished && !end.peer.isClosed) {
            simulation.at(
              simulation.nowMs + this.travelMs(connection.linkOf(end === connection.client)),
              undefined,
              () => end.peer.break(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })),
            );
          }
          connection.ended();
        };
      };
      client.onDeath.add(died(connection.client));
      listener.process.onDeath.add(died(connection.server));
      const opensAtMs = simulation.nowMs + this.travelMs(back);
      connection.server.lastArrivalMs = opensAtMs;
      simulation.at(simulation.nowMs, listener.process, () => listener.accept(connection.server));
      simulation.at(opensAtMs, client, () => {
        if (!isWanted) {
          connection.client.isClosed = true;
          connection.server.break(new Error('the client has gone'));
          connection.ended();
          return;
        }
        if (connection.client.isClosed) {
          opened(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
          return;
        }
        simulation.say(`connection ${connection.number} to ${address} is open`);
        opened(connection.client);
      });
    });
    return () => {
      isWanted = false;
    };
  }

  link(way: string): Link {
    let link = this.links.get(way);
    if (link === undefined) {
      link = { ...this.usual };
      this.links.set(way, link);
    }
    return link;
  }

  /** @internal */
  travelMs({ latencyMs, jitterMs, loss, downUntilMs }: Link): number {
    const { networkChance: chance, nowMs } = this.simulation;
    let travelsMs = latencyMs + jitterMs * chance.next();
    for (let again = RETRANSMIT_MS; loss > 0 && again < 10_000 && chance.is(loss); again *= 2) travelsMs += again;
    // Unacknowledged packets are retransmitted some time after the link is up.
    if (downUntilMs > nowMs) travelsMs += downUntilMs - nowMs + chance.between(0, 2 * RETRANSMIT_MS);
    return travelsMs;
  }
}
