import { describe, expect, it } from '@jest/globals';
import { describeError, type LogFields, unfailing } from './logger.js';

describe('a logger of the application', () => {
  it('receives each line at its level, as a method call', () => {
    class Lines {
      readonly written: string[] = [];
      private add(level: string, message: string, fields?: LogFields): void {
        this.written.push(`${level} ${message} ${JSON.stringify(fields)}`);
      }
      debug(message: string, fields?: LogFields): void {
        this.add('debug', message, fields);
      }
      info(message: string, fields?: LogFields): void {
        this.add('info', message, fields);
      }
      warn(message: string, fields?: LogFields): void {
        this.add('warn', message, fields);
      }
      error(message: string, fields?: LogFields): void {
        this.add('error', message, fields);
      }
    }
    const lines = new Lines();
    const logger = unfailing(lines);
    for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level]('a', { b: 1 });
    expect(lines.written).toEqual(['debug a {"b":1}', 'info a {"b":1}', 'warn a {"b":1}', 'error a {"b":1}']);
  });

  it('does not stop the work when it throws', () => {
    const fail = (): never => {
      throw new Error('disk full');
    };
    const logger = unfailing({ debug: fail, info: fail, warn: fail, error: fail });
    expect(() => logger.error('a')).not.toThrow();
  });
});

describe('an error in a log line', () => {
  it.each([
    [new Error('away'), 'away'],
    [new TypeError(''), 'TypeError'],
    [undefined, 'non-error thrown: undefined'],
    ['text', 'non-error thrown: text'],
    [{ secret: 1 }, 'non-error thrown: [object Object]'],
    [null, 'non-error thrown: [object Null]'],
    [Object.assign(new Error('a'), { message: 1n }), '1'],
    [Object.assign(new RangeError('a'), { message: undefined }), 'RangeError'],
  ])('of %p is described without its content', (error, description) => {
    expect(describeError(error)).toBe(description);
  });

  it.each([
    [
      'class-validator',
      [{ property: 'n', target: { n: 'secret' }, value: 'secret', constraints: { isInt: 'n must be an integer' } }],
    ],
    [
      'class-validator, nested',
      [{ property: 'n', children: [{ property: 'm', constraints: { isInt: 'm must be an integer' } }] }],
    ],
    ['zod', { message: 'Validation failed', errors: [{ path: ['n', 0], message: 'n must be an integer' }] }],
    ['Standard Schema', { issues: [{ path: [{ key: 'n' }], message: 'n must be an integer' }] }],
    ['texts beside a message', { statusCode: 400, message: 'Validation failed', errors: ['n must be an integer'] }],
  ])('has the reasons of %s, in an exception of Nest and of its microservices', (name, response) => {
    const expected = {
      'class-validator, nested': 'n.m must be an integer',
      zod: 'n.0: n must be an integer',
      'Standard Schema': 'n: n must be an integer',
    }[name];
    for (const one of [{ response }, { error: response }]) {
      expect(describeError(Object.assign(new Error('Bad Request Exception'), one))).toBe(
        `Bad Request Exception: ${expected ?? 'n must be an integer'}`,
      );
    }
  });

  it('never fails', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const fails = (): never => {
      throw new Error('do not look');
    };
    const getters = ['message', 'response'].map((field) =>
      Object.defineProperty(new Error('a'), field, { get: fails }),
    );
    for (const error of [proxy, ...getters, Object.assign(new Error('a'), { message: Object.create(null) })]) {
      expect(describeError(error)).toBe('an error that cannot be described');
    }
  });

  it('has the reasons of a validation: the first few, and not all of a long one', () => {
    const thrown = (fields: object) => Object.assign(new Error('Bad Request Exception'), fields);
    expect(describeError(thrown({ response: { message: ['a is missing', 'b is no number'] } }))).toBe(
      'Bad Request Exception: a is missing; b is no number',
    );
    expect(describeError(thrown({ error: ['a is missing'] }))).toBe('Bad Request Exception: a is missing');
    expect(describeError(thrown({ error: { message: ['a is missing'] } }))).toBe('Bad Request Exception: a is missing');
    expect(describeError(thrown({ response: { message: 'text' }, error: [{ secret: 1 }] }))).toBe(
      'Bad Request Exception',
    );
    const many = describeError(thrown({ response: { message: Array.from({ length: 9 }, () => 'x'.repeat(1_000)) } }));
    expect(many).toMatch(/^Bad Request Exception: x{200}…; .*x…; and 4 more$/);
    expect(many.length).toBeLessThan(1_100);
  });
});
