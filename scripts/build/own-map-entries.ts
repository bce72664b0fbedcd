// Part of `npm run codegen`: lets the generated code set entries of maps as properties of their own. As it comes, it assigns them, and
// an assignment to `__proto__` sets nothing: a property of a message that is called so would vanish.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = join(
  import.meta.dirname,
  '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.ts',
);
const OWN = 'enumerable: true, configurable: true, writable: true';
/** Where it decodes, and where it takes an object: for each map of the protocol (user properties, client properties). */
const ASSIGNMENTS = [
  [
    /(message\.\w+)\[(entry\d+)\.key\] = \2\.value;/g,
    `globalThis.Object.defineProperty($1, $2.key, { value: $2.value, ${OWN} });`,
  ],
  [
    /acc\[key\] = (globalThis\.String\(value\));/g,
    `globalThis.Object.defineProperty(acc, key, { value: $1, ${OWN} });`,
  ],
] as const;

let code = readFileSync(FILE, 'utf8');
for (const [assignment, definition] of ASSIGNMENTS) {
  const found = code.match(assignment)?.length ?? 0;
  if (found !== 2)
    throw new Error(`the generated code has changed: ${found} assignments ${assignment}, not 2; look at ${FILE}`);
  code = code.replace(assignment, definition);
}
writeFileSync(FILE, code);
