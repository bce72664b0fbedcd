// Faults that a visitor of the demo can inject: a process is killed, a handler fails, a commit is late.

import { setTimeout as pause } from 'node:timers/promises';
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { RocketMQContext } from 'nestjs-rocketmq';
import type { CheckpointHook } from 'nestjs-rocketmq/testing';
import { type Environment, textOf } from './environment.js';

/** A held point is released after this time, because the server accepts the end of a transaction for 30 s only. */
const MAX_HOLD_MS = 5_000;

interface Holding {
  arrive(messageId: string): void;
  readonly released: Promise<void>;
}

/** Each fault takes effect as often as requested. As an interceptor, it runs before all listeners. */
@Injectable()
export class Faults implements NestInterceptor {
  private readonly kills = new Set<string>();
  private readonly failures = new Map<string, number>();
  private readonly holdings = new Map<string, Holding>();

  /** Kills this process, as if by SIGKILL, when the library reaches that point for that topic. */
  killAt(point: string, topic: string): void {
    this.kills.add(`${point}:${topic}`);
  }

  /** Makes the next deliveries of a topic fail before their handler runs. */
  fail(topic: string, times: number): void {
    this.failures.set(topic, times);
  }

  /** Holds the library at a point once. `reached` resolves with the id of the message; `release` lets it continue. */
  hold(point: string, topic: string): { readonly reached: Promise<string>; release(): void } {
    const reached = deferred<string>();
    const released = deferred<void>();
    const name = `${point}:${topic}`;
    const holding = { arrive: reached.resolve, released: released.promise };
    this.holdings.set(name, holding);
    const release = (): void => {
      if (this.holdings.get(name) === holding) this.holdings.delete(name);
      released.resolve();
    };
    return { reached: reached.promise, release };
  }

  /** For `withFaultPoint()`. */
  readonly checkpoint = async (...[point, { topic, messageId }]: Parameters<CheckpointHook>): Promise<void> => {
    const name = `${point}:${topic}`;
    if (this.kills.delete(name)) await killThisProcess();
    const holding = this.holdings.get(name);
    if (holding === undefined) return;
    this.holdings.delete(name);
    holding.arrive(messageId);
    const timer = new AbortController();
    await Promise.race([holding.released, pause(MAX_HOLD_MS, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
  };

  intercept(context: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    if (context.getType<string>() === 'rocketmq') this.failIfAsked(context.switchToRpc().getContext());
    return next.handle();
  }

  private failIfAsked({ message: { topic }, deliveryAttempt }: RocketMQContext): void {
    const left = this.failures.get(topic) ?? 0;
    if (left === 0) return;
    this.failures.set(topic, left - 1);
    throw new Error(`this handler of ${topic} fails on request (attempt ${deliveryAttempt})`);
  }
}

/** `DEMO_FAULTS=on` lets visitors inject faults. For `npm start` only, never for production. */
export function faultsOf(env: Environment): Faults | undefined {
  return textOf(env, 'DEMO_FAULTS') === 'on' ? new Faults() : undefined;
}

/** As if by SIGKILL; the launcher is notified, so that it does not count as a crash. Does not return. */
export async function killThisProcess(): Promise<never> {
  await new Promise((resolve) => {
    if (process.send === undefined) resolve(undefined);
    else process.send({ diesAsAsked: true }, resolve);
  });
  process.kill(process.pid, 'SIGKILL');
  return new Promise<never>(() => {});
}

function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve = (_: T): void => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
