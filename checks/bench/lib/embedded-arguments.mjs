// Where an embedded broker keeps its messages, and who reaches it, on its command line. Plain JavaScript, for measured processes as well.

/** @param {string} kind of server @param {string} folder @returns {string[]} */
export function storeArguments(kind, folder) {
  if (kind === 'remoting') return ['--name-server-port', '0'];
  return kind === 'memory' ? [] : ['--data', folder, '--flush', kind];
}
