#!/usr/bin/env node
// The command line of nestjs-rocketmq. Committed as it is, so that npm can link it before the first build.

import { main } from '../dist/esm/cli/main.js';

await main(process.argv.slice(2));
