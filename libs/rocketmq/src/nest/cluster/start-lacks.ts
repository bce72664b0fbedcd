// What an application lacks on its clusters, in one error: topics and groups that it uses, and with `provision: 'check'` those that it declares.

import { type Lacks, ResourceError } from '../../client/resource-errors.js';
import { ProvisionError } from './provisioning.js';

type StartLack = ResourceError | ProvisionError;

/** An error of a connection with `provision: 'check'` has room for those of the others, which have a command for each problem. */
export const START_LACKS: Lacks<StartLack> = {
  is: (error) => error instanceof ResourceError || error instanceof ProvisionError,
  together: (errors) => {
    const [first, ...others] = errors;
    if (isOfResources(errors)) return ResourceError.together(errors);
    if (others.length === 0) return first;
    const differences = errors.flatMap((error) =>
      error instanceof ProvisionError ? error.differences : error.problems,
    );
    const commands = errors.flatMap((error) =>
      error instanceof ProvisionError ? (error.command ?? []) : error.commands,
    );
    const distinct = [...new Set(commands)];
    return new ProvisionError([...new Set(differences)], distinct.length === 0 ? undefined : distinct.join(' && '));
  },
};

/** The same error with the cluster that it is about; any other error as it is. */
export function lackAt(endpoints: string, error: unknown): unknown {
  if (error instanceof ResourceError) return ResourceError.at(endpoints, error);
  if (!(error instanceof ProvisionError)) return error;
  return new ProvisionError(
    error.differences.map((difference) => `at ${endpoints}: ${difference}`),
    error.command,
  );
}

function isOfResources(
  errors: readonly [StartLack, ...StartLack[]],
): errors is readonly [ResourceError, ...ResourceError[]] {
  return errors.every((error) => error instanceof ResourceError);
}
