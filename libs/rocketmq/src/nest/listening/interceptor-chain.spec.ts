// The chain of interceptors beside Nest's own: whatever interceptors do, both call, emit and end alike.

import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { ExternalContextCreator, NestFactory } from '@nestjs/core';
import {
  catchError,
  concat,
  EMPTY,
  finalize,
  from,
  lastValueFrom,
  map,
  NEVER,
  Observable,
  type ObservableInput,
  of,
  race,
  repeat,
  retry,
  take,
  takeUntil,
  tap,
  throwError,
  timer,
} from 'rxjs';
import { throughInterceptors } from './interceptor-chain.js';

interface NestConsumer {
  createContext(call: readonly unknown[], instance: object, method: unknown): ExecutionContext;
  intercept(
    interceptors: readonly NestInterceptor[],
    call: readonly unknown[],
    instance: object,
    method: unknown,
    next: () => Promise<unknown>,
    type: string,
  ): Promise<Observable<unknown>>;
}

class Application {}
const app = await NestFactory.createApplicationContext(Application, { logger: false });
const { interceptorsConsumer: consumer } = app.get(ExternalContextCreator) as unknown as {
  readonly interceptorsConsumer: NestConsumer;
};
await app.close();

type Mark = (what: string) => void;
type Method = (mark: Mark) => unknown;
type Intercept = (next: CallHandler, mark: Mark) => unknown;
type Chain = readonly [interceptors: readonly Intercept[], method: Method];

const storage = new AsyncLocalStorage<string>();
const pass: Intercept = (next) => next.handle();
const named =
  (name: string): Intercept =>
  (next, mark) => {
    mark(`${name} begins`);
    return next.handle().pipe(
      tap({ next: (value) => mark(`${name} sees ${String(value)}`), complete: () => mark(`${name} completes`) }),
      finalize(() => mark(`${name} ends`)),
    );
  };
const failing = (): never => {
  throw new Error('thrown');
};
const late = async (): Promise<string> => {
  await nextTurn();
  return 'late';
};
const entering = (): string => {
  const before = storage.getStore();
  storage.enterWith(`${String(before)} and the method`);
  return String(before);
};

const CHAINS: Readonly<Record<string, Chain>> = {
  'a method that returns a value': [[pass], () => 'value'],
  'a method that returns nothing': [[pass], () => undefined],
  'a method that returns a promise': [[named('one'), named('two')], late],
  // biome-ignore lint/suspicious/noThenProperty: a promise of another library
  'a method that returns a thenable': [[pass], () => ({ then: (resolve: (value: string) => void) => resolve('then') })],
  'a method that throws': [[named('one'), named('two')], failing],
  'a method that rejects': [[named('one')], async () => failing()],
  'a method with several emissions': [[named('one'), named('two')], () => of('first', 'second')],
  'a method with a promise of emissions': [[named('one')], async () => concat(of('first'), timer(1))],
  'a method whose emissions have an end of their own': [
    [named('one'), named('two')],
    (mark) => concat(of('first'), timer(1)).pipe(finalize(() => mark('the method ends'))),
  ],
  'a method without emission': [[named('one'), named('two')], () => EMPTY],
  'a method that emits and never completes': [[named('one')], () => concat(of('first'), NEVER)],
  'a method that never ends': [[named('one')], () => new Promise(() => {})],
  'a method that emits an error': [[named('one')], () => throwError(() => new Error('emitted'))],
  'a method that returns an array': [[named('one')], () => ['first', 'second']],
  'the order of three': [[named('one'), named('two'), named('three')], () => 'value'],
  'one that throws': [[named('one'), () => failing()], () => 'value'],
  'one that throws first': [[() => failing(), pass], () => 'value'],
  'one that rejects': [[named('one'), async () => failing()], () => 'value'],
  'one that returns a promise of its stream': [[async (next) => next.handle(), named('two')], () => 'value'],
  'one that does not call the rest': [[named('one'), () => of('cached')], failing],
  'one that never completes': [[named('one'), () => NEVER], failing],
  'one that completes without a value': [[() => EMPTY, pass], failing],
  'one that returns nothing': [[named('one'), () => undefined], () => 'value'],
  'one that returns nothing, first': [[() => undefined], () => 'value'],
  'one that returns an array': [[named('one'), () => ['first', 'second']], () => 'value'],
  'one that changes the value': [[(next) => next.handle().pipe(map((value) => `${value}!`)), pass], () => 'value'],
  'one that replaces the error': [[(next) => next.handle().pipe(catchError(() => of('rescued'))), pass], failing],
  'one that takes one of several': [[(next) => next.handle().pipe(take(1)), named('two')], () => of('first', 'second')],
  'one that takes one of an endless method': [
    [(next) => next.handle().pipe(take(1))],
    () => of('again').pipe(repeat()),
  ],
  'one that repeats what failed': [[(next) => next.handle().pipe(retry(2)), named('two')], failing],
  'one that subscribes twice': [
    [
      (next) => {
        const rest = next.handle();
        return concat(rest, rest);
      },
      named('two'),
    ],
    () => 'value',
  ],
  'one that calls the rest twice': [[(next) => concat(next.handle(), next.handle())], () => 'value'],
  'one that unsubscribes before the method runs': [[(next) => race(next.handle(), of('faster'))], () => 'value'],
  'one that unsubscribes while the method runs': [
    [(next) => next.handle().pipe(takeUntil(timer(0))), named('two')],
    () => new Promise(() => {}),
  ],
  'one that looks at when the method runs': [
    [
      (next, mark) =>
        new Observable((subscriber) => {
          const subscription = next.handle().subscribe(subscriber);
          mark('subscribed');
          return subscription;
        }),
    ],
    () => 'value',
  ],
  'a store around the subscription and the call': [
    [
      (next) => new Observable((subscriber) => storage.run('inside', () => next.handle().subscribe(subscriber))),
      pass,
      named('three'),
    ],
    () => storage.getStore(),
  ],
  'a store around the subscription only': [
    [
      (next) => {
        const rest = next.handle();
        return new Observable((subscriber) => storage.run('inside', () => rest.subscribe(subscriber)));
      },
      (next, mark) => {
        mark(String(storage.getStore()));
        return next.handle().pipe(tap(() => mark(String(storage.getStore()))));
      },
    ],
    () => String(storage.getStore()),
  ],
  'a store around the call only': [[(next) => storage.run('inside', () => next.handle()), pass], entering],
  'a store that an interceptor enters': [
    [
      (next) => {
        storage.enterWith('entered');
        return next.handle();
      },
      pass,
    ],
    () => storage.getStore(),
  ],
  'a store that the method enters, run twice': [
    [
      (next) => {
        const rest = next.handle();
        return concat(rest, rest);
      },
    ],
    entering,
  ],
  'a store that the method enters, seen after it': [
    [(next, mark) => next.handle().pipe(tap(() => mark(String(storage.getStore()))))],
    entering,
  ],
};

/** What happened, in its order, and how it ended: `pending` when it has not. */
async function record([interceptors, method]: Chain, through: typeof throughNest): Promise<unknown[]> {
  const events: unknown[] = [];
  const mark: Mark = (what) => void events.push(what);
  const objects = interceptors.map((intercept) => ({
    intercept: (_: unknown, next: CallHandler) => intercept(next, mark) as Observable<unknown>,
  }));
  const run = (): unknown => {
    mark('method');
    return method(mark);
  };
  const ended = storage
    .run('outside', () => through(objects, run))
    .then(
      (value) => events.push({ value }),
      (error: Error) => events.push({ error: error.message }),
    );
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 30))]);
  return events;
}

async function throughNest(interceptors: readonly NestInterceptor[], run: () => unknown): Promise<unknown> {
  const result = await consumer.intercept(interceptors, [], {}, run, async () => run(), 'rocketmq');
  return lastValueFrom(result, { defaultValue: undefined });
}

async function throughOurs(interceptors: readonly NestInterceptor[], run: () => unknown): Promise<unknown> {
  const result = await throughInterceptors(interceptors, consumer.createContext([], {}, run), run);
  return lastValueFrom(from(result as ObservableInput<unknown>), { defaultValue: undefined });
}

describe('interceptors', () => {
  it.each(Object.entries(CHAINS))('behave as in Nest: %s', async (_name, chain) => {
    const expected = await record(chain, throughNest);
    expect(await record(chain, throughOurs)).toEqual(expected);
  });
});
