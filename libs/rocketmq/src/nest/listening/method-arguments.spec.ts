// The arguments of a method beside Nest's own way to make them: pipes get and return the same, and fail alike.

import { describe, expect, it } from '@jest/globals';
import type { PipeTransform } from '@nestjs/common';
import { ExternalContextCreator, NestFactory } from '@nestjs/core';
import { CONTEXT_PARAMETER, PAYLOAD_PARAMETER } from '../common/rocketmq.constants.js';
import { type MethodParameter, methodArguments, type PipesConsumer } from './method-arguments.js';

class Application {}
const app = await NestFactory.createApplicationContext(Application, { logger: false });
const creator = app.get(ExternalContextCreator) as unknown as {
  readonly pipesConsumer: PipesConsumer;
  createPipesFn(
    pipes: readonly PipeTransform[],
    parameters: readonly MethodParameter[],
  ): (made: unknown[], ...call: readonly unknown[]) => Promise<void>;
};
await app.close();

const CALL = [{ id: 7 }, 'the context'] as const;

type Transform = PipeTransform['transform'];
const tagged =
  (tag: string): Transform =>
  (value) =>
    `${String(value)} ${tag}`;
const late: Transform = async (value) => `${String(value)} late`;
const failing: Transform = () => {
  throw new Error('thrown');
};
const rejecting: Transform = async () => {
  throw new Error('rejected');
};
const changing: Transform = (value, metadata) => {
  Object.assign(metadata, { data: 'changed by a pipe' });
  return value;
};

interface Parameter {
  readonly index: number;
  readonly type?: number | string;
  readonly data?: string;
  readonly pipes?: readonly Transform[];
  readonly value?: unknown;
}

interface Case {
  readonly parameters: readonly Parameter[];
  readonly pipes?: readonly Transform[];
}

const body = { index: 0, type: PAYLOAD_PARAMETER, value: 'body' };
const context = { index: 1, type: CONTEXT_PARAMETER, value: 'context' };

const CASES: Readonly<Record<string, Case>> = {
  'no pipes': { parameters: [body, context] },
  'a parameter that is left out': { parameters: [{ ...context, index: 2 }] },
  'pipes of all parameters before those of one': {
    parameters: [{ ...body, pipes: [tagged('own')] }, context],
    pipes: [tagged('first'), tagged('second')],
  },
  'pipes that need time': { parameters: [body, context], pipes: [late, tagged('then'), late] },
  'a pipe that throws': { parameters: [{ ...body, pipes: [failing] }, context], pipes: [tagged('first')] },
  'a pipe that rejects': { parameters: [body, { ...context, pipes: [rejecting] }], pipes: [tagged('first')] },
  'pipes that fail for every parameter': { parameters: [body, context], pipes: [tagged('first'), rejecting] },
  'pipes after one that fails': { parameters: [body, context], pipes: [failing, tagged('never')] },
  'a value that is a promise': { parameters: [{ ...body, value: Promise.resolve('awaited') }, context] },
  'a value that is a promise, before pipes': {
    parameters: [{ ...body, value: Promise.resolve('awaited') }, context],
    pipes: [tagged('piped')],
  },
  'what pipes learn of a parameter': {
    parameters: [{ ...body, data: 'field' }, { index: 2, type: '__customRouteArgs__', data: 'own' }, context],
    pipes: [tagged('first'), tagged('second')],
  },
  'a pipe that changes what it learns': { parameters: [body, context], pipes: [changing, tagged('second')] },
};

/** What pipes got, by parameter, and the arguments or the error. */
async function record(
  { parameters, pipes = [] }: Case,
  made: (parameters: readonly MethodParameter[], pipes: readonly PipeTransform[]) => Promise<unknown>,
): Promise<unknown> {
  const seen: Record<string, unknown[]> = {};
  const watched = (transforms: readonly Transform[]): PipeTransform[] =>
    transforms.map((transform) => ({
      transform: (value, metadata) => {
        // By parameter: Nest takes turns between parameters, which are independent of each other.
        const of = `${metadata.type} ${metadata.data}`;
        seen[of] = [...(seen[of] ?? []), [value, { ...metadata }]];
        return transform(value, metadata);
      },
    }));
  const bound = parameters.map(({ index, type = PAYLOAD_PARAMETER, data, pipes: own = [], value }) => {
    return { index, type, data, metatype: String, schema: undefined, pipes: watched(own), extractValue: () => value };
  });
  const outcome = await made(bound, watched(pipes)).then(
    (values) => ({ values }),
    (error: Error) => ({ error: error.message }),
  );
  return { outcome, seen };
}

async function byNest(parameters: readonly MethodParameter[], pipes: readonly PipeTransform[]): Promise<unknown> {
  const length = Math.max(...parameters.map(({ index }) => index)) + 1;
  const values = new Array<unknown>(length).fill(undefined);
  await creator.createPipesFn(pipes, parameters)(values, ...CALL);
  return values;
}

async function byUs(parameters: readonly MethodParameter[], pipes: readonly PipeTransform[]): Promise<unknown> {
  return methodArguments(parameters, pipes, creator.pipesConsumer, () => {})(CALL);
}

describe('the arguments of a method', () => {
  it.each(Object.entries(CASES))('are those that Nest makes: %s', async (_name, one) => {
    expect(await record(one, byUs)).toEqual(await record(one, byNest));
  });

  it('are there at once when no pipe returns a promise', () => {
    const parameter = { ...body, pipes: [{ transform: tagged('piped') }], extractValue: () => 'body' };
    expect(methodArguments([parameter], [], creator.pipesConsumer, () => {})(CALL)).toEqual(['body piped']);
  });

  it('report which parameter failed', async () => {
    const failed: unknown[] = [];
    for (const transform of [failing, rejecting]) {
      const parameter = { ...body, pipes: [{ transform }], extractValue: () => 'body' };
      const made = methodArguments([parameter], [], creator.pipesConsumer, ({ type }, error) =>
        failed.push(type, error),
      );
      await expect(Promise.resolve(made(CALL))).rejects.toThrow();
    }
    expect(failed).toEqual([PAYLOAD_PARAMETER, new Error('thrown'), PAYLOAD_PARAMETER, new Error('rejected')]);
  });
});
