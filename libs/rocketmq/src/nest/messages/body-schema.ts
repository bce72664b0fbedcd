// Schemas of topics and requests: a Standard Schema, or a class with the decorators of class-validator, which is wrapped as one here.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { UsageError } from '../../support/errors.js';

/** A class whose instances are bodies. */
// biome-ignore lint/suspicious/noExplicitAny: how it is constructed does not matter
export type BodyClass<Body extends object = any> = new (...args: any[]) => Body;

// biome-ignore lint/suspicious/noExplicitAny: whatever it takes, a method is one
type Method = (...args: any[]) => unknown;

/** What has methods and is a value all the same. */
type Value =
  // Also those with a brand, which are objects to the compiler.
  | string
  | number
  | bigint
  | boolean
  | symbol
  | Method
  | Date
  | RegExp
  | URL
  | ArrayBuffer
  | ArrayBufferView
  | Promise<unknown>
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>;

type FieldsOf<Body> = { [Field in keyof Body]-?: Body[Field] extends Method ? never : Field }[keyof Body];

/**
 * What a sender passes for a class: an instance, or a plain object with its properties, which may be plain objects for nested classes,
 * too. Methods are not sent. Tuples stay as they are: the compiler cannot follow recursive ones.
 */
export type PlainOf<Body> = unknown extends Body
  ? Body
  : Body extends Value
    ? Body
    : Body extends readonly unknown[]
      ? number extends Body['length']
        ? readonly PlainOf<Body[number]>[]
        : Body
      : Body extends object
        ? [FieldsOf<Body>] extends [never]
          ? Body
          : { readonly [Field in keyof Body as Body[Field] extends Method ? never : Field]: PlainOf<Body[Field]> }
        : Body;

/** The parts of class-validator and class-transformer in use. */
interface ClassTools {
  plainToInstance(type: BodyClass, plain: object): object;
  validate(instance: object, options: object): Promise<ClassProblem[]>;
}

/** A problem of one property, as class-validator reports it. */
interface ClassProblem {
  readonly property: string;
  readonly constraints?: Readonly<Record<string, string>>;
  readonly children?: readonly ClassProblem[];
}

const LOAD = Symbol.for('nestjs-rocketmq.load-schema');

/**
 * A schema from a class: a receiver gets an instance, created by class-transformer and validated by class-validator. Both packages
 * are loaded at first use, or by {@link loadSchema}.
 */
export function classSchema<Body extends object>(
  type: BodyClass<Body>,
  load: () => Promise<ClassTools> = loadClassTools,
): StandardSchemaV1<PlainOf<Body>, Body> & { readonly [LOAD]: () => Promise<unknown> } {
  const tools = async (): Promise<ClassTools> => {
    try {
      return await load();
    } catch (cause) {
      const text =
        `class ${type.name} is used as a schema, which needs the packages class-validator and class-transformer: ` +
        'npm install class-validator class-transformer';
      throw new UsageError('PACKAGE_MISSING', text, 'schema', { cause });
    }
  };
  const validate = async (body: unknown): Promise<StandardSchemaV1.Result<Body>> => {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      return { issues: [{ message: `expected an object for ${type.name}` }] };
    }
    const { plainToInstance, validate: check } = await tools();
    const instance = body instanceof type ? body : transformed(plainToInstance, type, body);
    if (instance === undefined) return { issues: [{ message: `a transformation of ${type.name} failed` }] };
    // Errors must not contain bodies or values.
    const problems = await check(instance, { validationError: { target: false, value: false } });
    return problems.length === 0 ? { value: instance as Body } : { issues: problems.flatMap((one) => issuesOf(one)) };
  };
  return { '~standard': { version: 1, vendor: 'nestjs-rocketmq', validate }, [LOAD]: tools };
}

/** Loads the packages that a schema needs, so that a missing one is found at startup. @throws UsageError `PACKAGE_MISSING` */
export async function loadSchema(schema: object | undefined): Promise<void> {
  await (schema as { readonly [LOAD]?: () => Promise<unknown> } | undefined)?.[LOAD]?.();
}

async function loadClassTools(): Promise<ClassTools> {
  const [{ validate }, { plainToInstance }] = await Promise.all([
    import('class-validator'),
    import('class-transformer'),
  ]);
  return { validate, plainToInstance };
}

/** Undefined when a transformation throws, because the error may quote the body. */
function transformed(
  plainToInstance: ClassTools['plainToInstance'],
  type: BodyClass,
  body: object,
): object | undefined {
  try {
    return plainToInstance(type, body);
  } catch {
    return undefined;
  }
}

function issuesOf(
  { property, constraints = {}, children = [] }: ClassProblem,
  parents: readonly string[] = [],
): StandardSchemaV1.Issue[] {
  const path = [...parents, property];
  const own = Object.values(constraints).map((message) => ({ message, path }));
  return [...own, ...children.flatMap((child) => issuesOf(child, path))];
}
