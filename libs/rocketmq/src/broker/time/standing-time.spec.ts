import { expect, it } from '@jest/globals';
import { StandingTime } from './standing-time.js';

it('converts between a clock that stands and clocks that run', () => {
  let now = { realMs: 1_000, brokerMs: 500 };
  const time = new StandingTime(() => now);
  now = { realMs: 1_040, brokerMs: 500 };
  // What was just stored is as old as the clock, and what is due in a while is due in as long for both.
  expect([time.toClient(500), time.toBroker(1_020), time.toBrokerLast(1_040)]).toEqual([1_000, 500, 500]);
  expect([time.toClient(530), time.toBroker(1_070)]).toEqual([1_070, 530]);
  expect([time.toClient(490), time.toBroker(990)]).toEqual([990, 490]);
  now = { realMs: 1_050, brokerMs: 800 };
  time.moved(now, false);
  now = { realMs: 1_055, brokerMs: 900 };
  time.moved(now, true);
  now = { realMs: 1_100, brokerMs: 900 };
  // What happened on the way happened while the clock was moved.
  expect([500, 501, 800, 900].map((brokerMs) => time.toClient(brokerMs))).toEqual([1_000, 1_055, 1_055, 1_055]);
  expect([1_010, 1_054, 1_060].map((clientMs) => time.toBroker(clientMs))).toEqual([500, 500, 900]);
  expect([time.toClient(1_000), time.toBroker(1_200)]).toEqual([1_200, 1_000]);
});

it('remembers a bounded number of moves', () => {
  let now = { realMs: 0, brokerMs: 0 };
  const time = new StandingTime(() => now);
  for (let moves = 1; moves <= 3_000; moves++) {
    now = { realMs: moves, brokerMs: moves * 10 };
    time.moved(now, false);
  }
  expect([time.toClient(0), time.toClient(30_000), time.toBroker(2_990)]).toEqual([0, 3_000, 29_900]);
});
