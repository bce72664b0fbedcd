// npm run codegen:check: generates the protocol's code anew and fails when it is not what the repository holds.

import { execFileSync } from 'node:child_process';

execFileSync('npm', ['run', '--silent', 'codegen'], { stdio: 'inherit' });
const changed = execFileSync('git', ['status', '--porcelain', '--', 'libs/rocketmq/src/protocol/generated'], {
  encoding: 'utf8',
});
if (changed !== '') {
  process.stderr.write(`the generated code is not what libs/rocketmq/proto gives; commit it:\n${changed}`);
  process.exitCode = 1;
}
