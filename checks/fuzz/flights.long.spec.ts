import { expect, it } from '@jest/globals';
import { Flights } from './flights.js';
import type { HostileRequest } from './hostile-requests.js';

const call = { kind: 'call', rpc: 'receiveMessage', headers: {}, pieces: [], ending: 'half-close' } as const;
const bytes: HostileRequest = { kind: 'bytes', port: 'admin', pieces: [], vanishes: false };

it('requests that were in flight at a time are named by number and RPC', () => {
  const flights = new Flights();
  flights.begin(7, call);
  const end = flights.begin(8, bytes);
  const nowMs = Date.now();
  expect(flights.during(nowMs, nowMs + 1_000)).toEqual(['7 receiveMessage', '8 bytes to the port of admin']);
  end();
  expect(flights.during(Date.now() + 10_000, Date.now() + 20_000)).toEqual(['7 receiveMessage']);
  flights.clear();
  expect(flights.during(0, nowMs + 20_000)).toEqual([]);
});
