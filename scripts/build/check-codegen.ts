// npm run codegen:check: generates code anew, from the protocol's definitions and the grammar of SQL filters, and fails when
// it is not what the repository holds.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

const folders = ['libs/rocketmq/src/protocol/grpc/generated', 'libs/rocketmq/src/broker/filter/generated'];
const before = folders
  .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)))
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(path, 'utf8'), stat: statSync(path) }));
execFileSync('npm', ['run', '--silent', 'codegen'], { stdio: 'inherit' });
// A build would take what is the same as before for changed.
for (const { path, text, stat } of before)
  if (existsSync(path) && readFileSync(path, 'utf8') === text) utimesSync(path, stat.atime, stat.mtime);
const changed = execFileSync('git', ['status', '--porcelain', '--', ...folders], { encoding: 'utf8' });
if (changed !== '') {
  process.stderr.write(`the generated code is not what its sources give; commit it:\n${changed}`);
  process.exitCode = 1;
}
