// The names and places of what a schematic creates, by Nest's conventions.

import { posix } from 'node:path';
import { SchematicError } from './project.js';

/** The options that `nest g` gives to every schematic. */
export interface PlaceOptions {
  readonly name: string;
  readonly path?: string;
  readonly sourceRoot?: string;
  readonly flat?: boolean;
}

/** The name and the folder of what is created. */
export interface Place {
  /** In kebab case: `order-placed`. */
  readonly name: string;
  /** In Pascal case: `OrderPlaced`. */
  readonly className: string;
  /** From the root of the project, without a slash at either end. */
  readonly folder: string;
}

/**
 * `orders/orderPlaced` is `order-placed` in `src/orders/order-placed`, with `flat` in `src/orders`.
 * @throws SchematicError when the name makes no identifier or no topic, or leads out of the source folder
 */
export function placeOf({ name: given, path = '', sourceRoot = 'src', flat = false }: PlaceOptions): Place {
  const name = kebabCase(posix.basename(given));
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
    throw new SchematicError(
      `"${given}" cannot be a name: use letters, digits and "-", such as order-placed. Nothing was changed.`,
    );
  const below = posix.normalize(posix.join(kebabCase(path), kebabCase(posix.dirname(given)))).replace(/^\//, '');
  if (below.split('/').includes('..'))
    throw new SchematicError(`"${given}" leads out of ${sourceRoot}. Nothing was changed.`);
  // The path is written into imports, between quotes.
  if (!/^[\p{L}\p{N}@./-]*$/u.test(below))
    throw new SchematicError(
      `"${posix.join(path, given)}" cannot be a path: use letters, digits, ".", "@" and "-". Nothing was changed.`,
    );
  const folder = posix.join(sourceRoot, below, flat ? '.' : name).replace(/^\/|\/$/g, '');
  return { name, className: pascalCase(name), folder };
}

/** `OrderPlaced` of `order-placed`. */
function pascalCase(name: string): string {
  return name
    .split('-')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');
}

function kebabCase(text: string): string {
  return text
    .trim()
    .replace(/([a-z\d])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replace(/[\s_]/g, '-');
}
