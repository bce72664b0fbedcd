// The order of the pages. A test fails on a page that is in no group, and on more words for users than it allows.

export const guides = [
  {
    text: 'Start',
    pages: ['guide/getting-started.md', 'guide/first-day.md', 'guide/connecting.md', 'demo.md', 'comparison.md'],
  },
  {
    text: 'Use',
    pages: [
      'guide/listeners.md',
      'guide/sending.md',
      'guide/transactions.md',
      'guide/data-safety.md',
      'guide/databases.md',
      'guide/database-examples.md',
      'guide/scheduling.md',
      'guide/failure-handling.md',
      'guide/lite-topics.md',
      'guide/microservices.md',
      'guide/asyncapi.md',
      'guide/testing.md',
    ],
  },
  {
    text: 'Without Nest',
    pages: [
      'guide/without-nest.md',
      'guide/administration.md',
      'guide/embedded-broker.md',
      'guide/tests-in-any-language.md',
    ],
  },
  {
    text: 'Run',
    pages: [
      'guide/deployment.md',
      'guide/real-server.md',
      'guide/operations.md',
      'guide/console.md',
      'guide/telemetry.md',
      'guide/security.md',
      'guide/performance.md',
      'guide/command-line.md',
      'guide/troubleshooting.md',
    ],
  },
  {
    text: 'Recipes',
    pages: [
      'recipes/vitest.md',
      'recipes/nest-config.md',
      'recipes/topic-package.md',
      'recipes/tenants.md',
      'recipes/schema-evolution.md',
      'recipes/kubernetes.md',
      'recipes/prometheus-alerts.md',
    ],
  },
  {
    text: 'Look up',
    pages: [
      'glossary.md',
      'reference/defaults.md',
      'reference/configuration.md',
      'reference/properties.md',
      'versioning.md',
      'licences.md',
      'changelog.md',
    ],
  },
  {
    text: 'Coming from',
    pages: [
      'coming-from/kafkajs.md',
      'coming-from/rabbitmq.md',
      'coming-from/bullmq.md',
      'coming-from/rocketmq-spring.md',
      'coming-from/rocketmq-4x.md',
    ],
  },
];

/** For who changes this library. Not searched, since they answer other questions in the same words. */
export const contributors = [
  'architecture.md',
  'compose.md',
  'protocol-notes.md',
  'benchmarks/README.md',
  'benchmarks/figures.md',
  'benchmarks/growth.md',
];

/** With `contributors`. */
export const DECISIONS = 'decisions';
