#!/usr/bin/env node
// The command line of nestjs-rocketmq. Committed as it is, so that npm can link it before the first build.

import { createRequire } from 'node:module';

// An import of CommonJS would take longer: Node.js searches it for the names of its exports.
const require = createRequire(import.meta.url);
const { main } = require('../dist/cjs/cli/main.js');
const { version } = require('../package.json');

await main(process.argv.slice(2), (specifier) => import(specifier), version);
