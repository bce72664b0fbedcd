// The JSON Schema of a body, where its schema gives one by Standard JSON Schema. Never a guess.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { describeError } from '../../support/logger.js';
import type { JsonSchema } from './document.js';

/** AsyncAPI 3.0 takes this draft without naming it, and its parser knows no later one. */
const TARGET = 'draft-07';

/** The JSON Schema, or why there is none. Both are undefined where any body is accepted. */
interface Payload {
  readonly schema?: JsonSchema;
  readonly noSchema?: string;
}

/** Bodies are sent as senders pass them, so it is the input of the schema that is on the wire. */
export function payloadOf(schema: StandardSchemaV1 | undefined): Payload {
  if (schema === undefined) return {};
  const { vendor, jsonSchema } = schema['~standard'] as StandardSchemaV1.Props & Partial<StandardJSONSchemaV1.Props>;
  if (typeof jsonSchema?.input !== 'function') return { noSchema: `${vendor} gives no Standard JSON Schema` };
  try {
    const { $schema: _, ...plain } = JSON.parse(JSON.stringify(jsonSchema.input({ target: TARGET })));
    return { schema: plain };
  } catch (error) {
    return { noSchema: `${vendor} gives no Standard JSON Schema: ${describeError(error)}` };
  }
}

/** Keywords whose value is data, which may look like a schema. */
const DATA: readonly string[] = ['const', 'enum', 'default', 'examples'];
/** Keywords whose value maps names to schemas. */
const MAPS: readonly string[] = ['properties', 'patternProperties', 'definitions', '$defs', 'dependencies'];

/**
 * A schema whose references to itself lead to its place in a document.
 * @param place the pointer to the schema in the document, `#/components/schemas/orders`
 */
export function placed(schema: JsonSchema, place: string): JsonSchema {
  return within(schema, place) as JsonSchema;
}

function within(value: unknown, place: string): unknown {
  if (Array.isArray(value)) return value.map((one) => within(one, place));
  if (typeof value !== 'object' || value === null) return value;
  return mapped(value, (keyword, one) => {
    if (DATA.includes(keyword)) return one;
    if (keyword === '$ref') return typeof one === 'string' && one.startsWith('#') ? place + one.slice(1) : one;
    const isMap = MAPS.includes(keyword) && typeof one === 'object' && one !== null;
    return isMap ? mapped(one, (_, schema) => within(schema, place)) : within(one, place);
  });
}

function mapped(value: object, change: (key: string, one: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, change(key, one)]));
}
