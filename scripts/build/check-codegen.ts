// npm run codegen:check: generates code anew, from the protocol's definitions and the grammar of SQL filters, and fails when
// it is not what the repository holds.

import { execFileSync } from 'node:child_process';

execFileSync('npm', ['run', '--silent', 'codegen'], { stdio: 'inherit' });
const folders = ['libs/rocketmq/src/protocol/grpc/generated', 'libs/rocketmq/src/broker/filter/generated'];
const changed = execFileSync('git', ['status', '--porcelain', '--', ...folders], { encoding: 'utf8' });
if (changed !== '') {
  process.stderr.write(`the generated code is not what its sources give; commit it:\n${changed}`);
  process.exitCode = 1;
}
