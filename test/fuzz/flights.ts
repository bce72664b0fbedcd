// Which requests were under way at a time, so that a broker that was busy for too long can be traced to one of them.

import type { HostileRequest } from './hostile-requests.js';

interface Flight {
  readonly number: number;
  readonly request: HostileRequest;
  readonly fromMs: number;
  toMs: number;
}

/** Real times, comparable between processes of a machine. */
export class Flights {
  private readonly flights: Flight[] = [];

  /** A request is sent. @returns what to call when nobody waits for its answer any more */
  begin(number: number, request: HostileRequest): () => void {
    const flight: Flight = { number, request, fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY };
    this.flights.push(flight);
    return () => {
      flight.toMs = Date.now();
    };
  }

  /** The requests that were under way then, each with its number and what it asked for. */
  during(fromMs: number, toMs: number): string[] {
    const then = this.flights.filter((flight) => flight.fromMs <= toMs && flight.toMs >= fromMs);
    return then.map(({ number, request }) => `${number} ${nameOf(request)}`);
  }

  /** All that is kept was looked at. */
  clear(): void {
    this.flights.length = 0;
  }
}

function nameOf(request: HostileRequest): string {
  return request.kind === 'call' ? (request.rpc ?? 'no RPC') : `bytes to the port of ${request.port}`;
}
