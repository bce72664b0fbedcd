#!/usr/bin/env bash
# lmdb 3.5.6 on Node.js, with a file that may not grow: `ulimit -f` stands for a disk that is full.
#
# Guessed: a write that fails rejects the promise of its `put` with the error of the system, and that is all: who has caught that has caught everything,
#   and what is logged is the application's choice.
# Seen: the promise of the `put` rejects with "Commit failed (see commitError for details)", and so does one that the caller does not have. What
#   `commitError` holds is no error but a promise, which rejects with the error of the system and is unhandled until somebody awaits it. lmdb
#   also writes that error itself: one line from its native part, then the error with its stack by `console.error`. No option turns that off.
#
# What it means for a caller: await `commitError`, handle `unhandledRejection` or it ends the process, and expect a stack in the log although the
# error was handled. Needs Node.js 20 or newer, Linux. Takes about 5 s.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund lmdb@3.5.6

cat >full.cjs <<'JS'
const { open } = require('lmdb');
const { setTimeout: sleep } = require('node:timers/promises');
process.on('unhandledRejection', ({ message }) => console.log(`unhandled: ${message.split(':')[0]}`));
const database = open({ path: 'data.mdb', noSubdir: true, encoding: 'binary' });
(async () => {
  try {
    for (let key = 0; key < 1_000; key++) await database.put(key, Buffer.alloc(3_000));
  } catch ({ message, commitError }) {
    console.log(`caught: ${message}`);
    console.log(`commitError: ${commitError.constructor.name}`);
    if (process.argv[2] === 'await') await commitError.catch(({ message }) => console.log(`awaited: ${message.split(':')[0]}`));
  }
  await sleep(500);
})();
JS

for how in leave await; do
  rm -f data.mdb*
  echo "$how"
  (ulimit -f 512 && node full.cjs "$how" >out 2>err)
  sort -u out
  grep -o '^Write error: File too large' err
  grep -c '^ *at .*lmdb/dist/index.cjs' err
done | tee seen
diff seen - <<'SEEN'
leave
caught: Commit failed (see commitError for details)
commitError: Promise
unhandled: Commit failed (see commitError for details)
unhandled: File too large
Write error: File too large
1
await
awaited: File too large
caught: Commit failed (see commitError for details)
commitError: Promise
unhandled: Commit failed (see commitError for details)
Write error: File too large
1
SEEN
echo "as described"
