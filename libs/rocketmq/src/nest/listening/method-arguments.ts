// The arguments of a method, made of the message by its parameters and their pipes, as Nest makes them. Nest's own way waits for every
// value; here only what returns a promise is waited for, since waiting is most of a message's cost.

import type { PipeTransform } from '@nestjs/common';
import { continued, isThenable, rescued } from '../../support/thenable.js';

/** What a pipe gets beside the value: `data`, `metatype` and what else this version of Nest passes. */
type PipeMetadata = Parameters<PipeTransform['transform']>[1];

/** A parameter of a method, as Nest's creator found it. */
export interface MethodParameter {
  readonly index: number;
  readonly type: unknown;
  readonly pipes: readonly PipeTransform[];
  extractValue(...call: readonly unknown[]): unknown;
}

/** Nest's application of pipes. */
export interface PipesConsumer {
  apply(value: unknown, metadata: object, pipes: readonly PipeTransform[]): unknown;
}

/** Makes the arguments of one call. */
type MethodArguments = (call: readonly unknown[]) => unknown[] | PromiseLike<unknown[]>;

type MakeValue = (call: readonly unknown[]) => unknown;

/**
 * @param pipes those of all parameters, which come before a parameter's own
 * @param onError called with the error of a parameter's pipe
 */
export function methodArguments(
  parameters: readonly MethodParameter[],
  pipes: readonly PipeTransform[],
  consumer: PipesConsumer,
  onError: (parameter: MethodParameter, error: unknown) => void,
): MethodArguments {
  const length = Math.max(...parameters.map(({ index }) => index)) + 1;
  const values = parameters.map((parameter) => {
    const fail = (error: unknown): never => {
      onError(parameter, error);
      throw error;
    };
    return { index: parameter.index, make: valueMaker(parameter, [...pipes, ...parameter.pipes], consumer, fail) };
  });
  return (call) => {
    const made: unknown[] = new Array(length).fill(undefined);
    let waiting: Promise<void>[] | undefined;
    for (const { index, make } of values) {
      const value = attempted(make, call);
      if (!isThenable(value)) made[index] = value;
      else {
        waiting ??= [];
        waiting.push(
          Promise.resolve(value).then((late) => {
            made[index] = late;
          }),
        );
      }
    }
    return waiting === undefined ? made : Promise.all(waiting).then(() => made);
  };
}

/** All parameters run their pipes, also when the first of them has failed. */
function attempted(make: MakeValue, call: readonly unknown[]): unknown {
  try {
    return make(call);
  } catch (error) {
    return Promise.reject(error);
  }
}

function valueMaker(
  parameter: MethodParameter,
  pipes: readonly PipeTransform[],
  consumer: PipesConsumer,
  fail: (error: unknown) => never,
): MakeValue {
  if (pipes.length === 0) return (call) => parameter.extractValue(...call);
  const metadata = pipeMetadata(parameter, consumer);
  const applied = (value: unknown, next: number): unknown => {
    const pipe = pipes[next];
    if (pipe === undefined) return value;
    // Its own for each call, as in Nest: a pipe may change it.
    return continued(pipe.transform(value, { ...metadata }), (transformed) => applied(transformed, next + 1));
  };
  return (call) => {
    const extracted = parameter.extractValue(...call);
    return rescued(() => continued(extracted, (given) => applied(given, 0)), fail);
  };
}

/** What Nest would pass to the pipes of this parameter, in the form of this version. */
function pipeMetadata(parameter: MethodParameter, consumer: PipesConsumer): PipeMetadata {
  let found: PipeMetadata | undefined;
  const reading = Object.create(consumer, {
    applyPipes: {
      value: (_: unknown, metadata: PipeMetadata) => {
        found = metadata;
      },
    },
  }) as PipesConsumer;
  void reading.apply(undefined, parameter, []);
  return found as PipeMetadata;
}
