// Where an embedded broker keeps its messages, on its command line.

/** @param {string} kind of server @param {string} folder @returns {string[]} */
export function storeArguments(kind, folder) {
  return kind === 'memory' ? [] : ['--data', folder, '--flush', kind];
}
