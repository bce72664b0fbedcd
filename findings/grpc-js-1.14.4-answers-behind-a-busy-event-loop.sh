#!/usr/bin/env bash
# @grpc/grpc-js 1.14.4 on Node.js, client and server in two processes.
#
# Guessed: an answer that has arrived before the deadline of its call is handed to the caller, also when the event loop was busy meanwhile and
#   the deadline is over when it gets to the socket; or it never is. Which of both does not depend on where the work was that kept it busy.
# Seen: it depends on that. Behind work in the callback of a timer the answer arrives, one second after its deadline. Behind the same work in
#   setImmediate, as behind work in most callbacks of I/O, the timer of the deadline runs before the socket is read:
#   the call fails with code 4 (DEADLINE_EXCEEDED), and the answer, or the messages of a stream, are dropped.
#
# What it means for a caller: code 4 says nothing of whether the server answered in time, and messages that a server has handed out may be lost
# on the way to their reader. Needs Node.js 20 or newer. Takes about 15 s.

set -euo pipefail
folder=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund @grpc/grpc-js@1.14.4

cat >service.cjs <<'JS'
const same = (bytes) => bytes;
const codecs = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
module.exports = {
  unary: { path: '/findings.Clock/One', requestStream: false, responseStream: false, ...codecs },
  stream: { path: '/findings.Clock/Two', requestStream: false, responseStream: true, ...codecs },
};
JS

cat >server.cjs <<'JS'
const grpc = require('@grpc/grpc-js');
const server = new grpc.Server();
server.addService(require('./service.cjs'), {
  unary: (_, answer) => setTimeout(() => answer(null, Buffer.from('one')), 300),
  stream: (call) =>
    setTimeout(() => {
      call.write(Buffer.from('one'));
      call.write(Buffer.from('two'));
      call.end();
    }, 300),
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
JS

cat >client.cjs <<'JS'
const grpc = require('@grpc/grpc-js');
const { setTimeout: sleep, setImmediate: turn } = require('node:timers/promises');
const Client = grpc.makeGenericClientConstructor(require('./service.cjs'), 'Clock');
const client = new Client(`127.0.0.1:${process.argv[2]}`, grpc.credentials.createInsecure());
const options = () => ({ deadline: Date.now() + 1_000 });
const calls = {
  unary: () =>
    new Promise((resolve) => {
      client.unary(Buffer.from('?'), options(), (error, answer) => resolve(error ? `code ${error.code}` : `${answer}, code 0`));
    }),
  stream: () =>
    new Promise((resolve) => {
      const read = [];
      const call = client.stream(Buffer.from('?'), options());
      call.on('data', (bytes) => read.push(`${bytes}, `));
      call.on('error', () => {});
      call.on('status', ({ code }) => resolve(`${read.join('')}code ${code}`));
    }),
};
function work(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
(async () => {
  await calls.unary();
  for (const [name, call] of Object.entries(calls)) {
    for (const [where, workMs] of [['no work', 0], ['timer', 2_000], ['immediate', 2_000]]) {
      const ended = call();
      await sleep(50);
      if (where === 'immediate') await turn();
      work(workMs);
      console.log(`${name}, ${where}: ${await ended}`);
    }
  }
  client.close();
})();
JS

node server.cjs >port &
server=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
node client.cjs "$(cat port)" | tee seen
diff seen - <<'SEEN'
unary, no work: one, code 0
unary, timer: one, code 0
unary, immediate: code 4
stream, no work: one, two, code 0
stream, timer: one, two, code 0
stream, immediate: code 4
SEEN
echo "as described"
