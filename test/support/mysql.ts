// Suites that run on MySQL and on MariaDB. What is not installed is skipped with a notice. The server itself is mysql-server.ts, which runs
// without jest.

import { describe } from '@jest/globals';
import { hasMySql, MYSQL_PRODUCTS, type MySqlProduct } from '../../tools/servers/mysql-server.js';

export { type MySqlAddress, type MySqlProduct, MySqlServer } from '../../tools/servers/mysql-server.js';

/**
 * Like `describe`, once for each product, whose name follows the title; if it is not installed, logs a line and skips the suite.
 * @param products default: both
 */
export function describeWithMySql(
  title: string,
  suite: (product: MySqlProduct) => void,
  products: readonly MySqlProduct[] = MYSQL_PRODUCTS,
): void {
  for (const product of products) {
    const name = `${title} ${product}`;
    if (hasMySql(product)) {
      describe(name, () => suite(product));
      continue;
    }
    process.stderr.write(`${product} is not installed (see test/README.md), so this did not run: ${name}\n`);
    describe.skip(name, () => suite(product));
  }
}
