// Records which requests were in flight at a time, to find the request that kept the broker busy for too long.

import type { HostileRequest } from './hostile-requests.js';

interface Flight {
  readonly number: number;
  readonly request: HostileRequest;
  readonly fromMs: number;
  toMs: number;
}

/** Real times, comparable between the processes of a machine. */
export class Flights {
  private readonly flights: Flight[] = [];

  /** A request is sent. @returns a function to call when its answer is no longer awaited */
  begin(number: number, request: HostileRequest): () => void {
    const flight: Flight = { number, request, fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY };
    this.flights.push(flight);
    return () => {
      flight.toMs = Date.now();
    };
  }

  /** The requests in flight at that time, each with its number and RPC. */
  during(fromMs: number, toMs: number): string[] {
    const then = this.flights.filter((flight) => flight.fromMs <= toMs && flight.toMs >= fromMs);
    return then.map(({ number, request }) => `${number} ${nameOf(request)}`);
  }

  /** Clears the records after they were examined. */
  clear(): void {
    this.flights.length = 0;
  }
}

function nameOf(request: HostileRequest): string {
  return request.kind === 'call' ? (request.rpc ?? 'no RPC') : `bytes to the port of ${request.port}`;
}
