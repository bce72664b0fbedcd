// Tables that read well both on a terminal and as Markdown.

/**
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows
 * @returns {string} the first column to the left, the others to the right
 */
export function table(head, rows) {
  const widths = head.map((cell, index) => Math.max(3, ...[cell, ...rows.map((row) => row[index] ?? '')].map(width)));
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${widths.map((size, index) => padded(cells[index] ?? '', size, index > 0)).join(' | ')} |`;
  const rule = widths.map((size, index) => (index === 0 ? '-'.repeat(size) : `${'-'.repeat(size - 1)}:`));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

const width = (/** @type {string} */ text) => [...text].length;

/** @param {string} text @param {number} size @param {boolean} toTheRight */
function padded(text, size, toTheRight) {
  const space = ' '.repeat(size - width(text));
  return toTheRight ? space + text : text + space;
}
