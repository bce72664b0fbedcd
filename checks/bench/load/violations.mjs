// What must be true after all orders, whatever the load was. Each violation is a sentence.

const MAX_NAMED = 5;

/**
 * @typedef {{ sku: string, quantity: number }} Product what there was at the beginning
 *
 * @typedef {object} Facts
 * @property {readonly import('./arrivals.mjs').Placed[]} placed all orders of a setup, also those that were not answered 201
 * @property {ReadonlyMap<string, import('../../../scripts/demo/demo-client.ts').Ending>} endings
 * @property {readonly import('./shop.mjs').StockView[]} stock at the end
 */

/** @param {Facts & { products: readonly Product[] }} given @returns {string[]} */
export function violationsOf({ placed, endings, stock, products }) {
  const found = [];
  const ids = placed.flatMap(({ id }) => (id === undefined ? [] : [id]));
  const seen = new Set();
  const twice = ids.filter((id) => seen.size === seen.add(id).size);
  if (twice.length > 0) found.push(`ids given to two orders: ${named(twice)}`);
  const open = ids.filter((id) => !endings.has(id));
  if (open.length > 0)
    found.push(`answered 201, and neither reserved nor rejected, or never to time out: ${named(open)}`);
  const rejected = ids.filter((id) => endings.get(id)?.outcome === 'rejected');
  if (rejected.length > 0) found.push(`rejected, though there is enough of all: ${named(rejected)}`);
  return [...found, ...products.flatMap((product) => stockViolations(product, { placed, endings, stock }))];
}

/** @param {Product} product @param {Facts} facts */
function stockViolations({ sku, quantity }, { placed, endings, stock }) {
  const row = stock.find((one) => one.sku === sku);
  if (row === undefined) return [`${sku} is not in stock any more`];
  const { available, reserved, sold } = row;
  const found = [];
  if (available + reserved + sold !== quantity) {
    found.push(`${sku}: ${available} available + ${reserved} reserved + ${sold} sold is not ${quantity}`);
  }
  const own = placed.filter((order) => order.sku === sku);
  const least = own.filter(({ id }) => id !== undefined && endings.get(id)?.outcome === 'reserved').length;
  // An order without an answer may be there; more than these cannot.
  const most = least + own.filter(({ id }) => id === undefined).length;
  if (reserved < least || reserved > most) {
    const wanted = most === least ? `${least}` : `${least} to ${most}`;
    found.push(`${sku}: ${reserved} reserved, but its orders have ${wanted}`);
  }
  return found;
}

/** @param {readonly string[]} ids */
function named(ids) {
  const more = ids.length > MAX_NAMED ? `, and ${ids.length - MAX_NAMED} more` : '';
  return `${ids.slice(0, MAX_NAMED).join(', ')}${more}`;
}
