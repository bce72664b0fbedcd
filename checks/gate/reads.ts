// What files read, or start as a process of its own. Their imports do not show it, and `--since` follows it all the same. A path with a slash
// at its end is a folder.

/** By the file that starts it: it depends on what the program imports, too. */
export const STARTS: Readonly<Record<string, readonly string[]>> = {
  'checks/bench/lib/client-process.ts': ['checks/bench/workloads/'],
  'checks/crash/without-lmdb.long.spec.ts': ['libs/rocketmq/bin/'],
  'checks/databases/race.ts': ['checks/databases/race-program.ts'],
  'checks/fuzz/fuzzed-broker.ts': ['checks/fuzz/broker-probe.mjs'],
  'checks/interop/backends.ts': ['checks/interop/embedded-broker.mjs'],
  'checks/model/world.ts': ['checks/model/member.ts'],
  // It loads what was built.
  'libs/rocketmq/bin/nestjs-rocketmq.js': ['libs/rocketmq/src/cli/main.ts'],
  'libs/rocketmq/src/cli/closed-pipe.spec.ts': ['libs/rocketmq/src/cli/main.ts'],
  'test/processes/shutdown.long.spec.ts': ['checks/pack/scenarios/shutdown.mjs'],
  'test/sql/limit-kills.long.spec.ts': ['test/sql/support/limit-program.ts'],
  'test/sql/schedule-kills.long.spec.ts': ['test/sql/support/schedule-program.ts'],
  'test/sql/support/crash-job.ts': ['test/sql/support/crash-program.ts'],
  'tools/servers/embedded-broker-process.mjs': ['libs/rocketmq/bin/'],
};

/** By the file that reads it. */
export const READS: Readonly<Record<string, readonly string[]>> = {
  'checks/crash/disk-faults.long.spec.ts': ['scripts/build/'],
  'checks/crash/without-lmdb.long.spec.ts': ['scripts/build/'],
  'checks/deploy/dockerfile/dockerfile.spec.ts': ['.dockerignore'],
  'checks/pack/packed-library.long.spec.ts': ['libs/rocketmq/', 'scripts/build/', 'checks/pack/fixtures/'],
  'checks/pack/workflows.long.spec.ts': ['.github/workflows/'],
  'checks/simulation/mutations.long.spec.ts': ['libs/rocketmq/src/'],
  'libs/console/src/http/page-files.ts': ['libs/console/web/', 'libs/console/build.ts'],
  'libs/demo-kit/src/database.long.spec.ts': ['apps/inventory-demo/migrations/', 'apps/order-demo/migrations/'],
  'libs/demo-kit/src/topics.long.spec.ts': ['scripts/demo/resources.json'],
  'libs/rocketmq/src/cli/help.spec.ts': ['docs/guide/command-line.md', 'libs/rocketmq/src/cli/'],
  'libs/rocketmq/src/cli/new-project.ts': ['libs/rocketmq/templates/shop/'],
  'libs/rocketmq/src/cli/new-template.long.spec.ts': ['libs/rocketmq/templates/shop/'],
  'libs/rocketmq/src/schematics/package-folder.ts': ['libs/rocketmq/schematics/'],
  'libs/rocketmq/src/schematics/schematics.long.spec.ts': ['compose.yaml'],
  'test/differential/filters.spec.ts': ['test/differential/filters.json'],
  'test/docs/publishing.long.spec.ts': ['.github/workflows/'],
  'test/observability/demos.long.spec.ts': ['docker/grafana/'],
  'test/runners/runners.long.spec.ts': ['test/runners/'],
  'test/sql/schema-versions.long.spec.ts': ['test/sql/schema-versions/'],
};
