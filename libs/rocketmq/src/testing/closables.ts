// What is closed before a test broker stops or is reset.

import { SECOND_MS } from '../support/clock.js';
import { waitWithin } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { withMethods } from '../support/options.js';

/** An application, a consumer that drains, a connection: a running handler of an application gets 20 s by default. */
export const CLOSE_TIMEOUT_MS = 30 * SECOND_MS;

/** Something that can be closed: a Nest application, a consumer, a producer, a connection. */
export interface Closable {
  close(): unknown;
}

/** Closes in the reverse order, each within {@link CLOSE_TIMEOUT_MS}. */
export class Closables {
  private readonly resources: Closable[] = [];

  get count(): number {
    return this.resources.length;
  }

  /** @throws UsageError for what cannot be closed */
  add(resource: Closable): void {
    const problem = withMethods('something with close()', 'close')(resource);
    if (problem !== undefined)
      throw new UsageError('ILLEGAL_ARGUMENT', `closeLater: the resource ${problem}; nothing was added`, 'resource');
    this.resources.push(resource);
  }

  /** Closes what was added after the first `kept`, each even if another fails. @returns what failed */
  async close(kept = 0): Promise<unknown[]> {
    const errors: unknown[] = [];
    while (this.resources.length > kept) {
      const resource = this.resources.pop() as Closable;
      const closed = Promise.resolve().then(() => resource.close());
      const what = `close() of ${resource.constructor.name}`;
      await waitWithin(what, CLOSE_TIMEOUT_MS, undefined, closed).catch((error: unknown) => errors.push(error));
    }
    return errors;
  }
}

/** @throws the error, or an AggregateError of several */
export function throwAny(errors: readonly unknown[]): void {
  if (errors.length > 1) throw new AggregateError(errors, errors.map(String).join('; '));
  if (errors.length === 1) throw errors[0];
}
