// The time of clients and the time of the broker, which differ on a broker that travels in time.

/** Converts moments between the clock of the clients and that of the broker. Milliseconds since 1970 on both. */
export interface ClientTime {
  /** When a moment on the broker's clock is, or was, on the clock of the clients. */
  toClient(brokerMs: number): number;
  /** The first moment on the broker's clock that is not before a moment of the clients. */
  toBroker(clientMs: number): number;
  /** The last moment on the broker's clock that is not after a moment of the clients. */
  toBrokerLast(clientMs: number): number;
}

/** Broker and clients have the same time. */
export const SAME_TIME: ClientTime = {
  toClient: (brokerMs) => brokerMs,
  toBroker: (clientMs) => clientMs,
  toBrokerLast: (clientMs) => clientMs,
};
