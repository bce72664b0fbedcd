// What the first page shows. (In the page itself it would be front matter, which the formatter of this repository does not know.)

export const home = {
  layout: 'home',
  hero: {
    name: 'nestjs-rocketmq',
    text: 'Apache RocketMQ 5 for NestJS',
    tagline: 'Delayed, ordered and transactional messages by decorators. No JVM, no sidecar, no server to begin with.',
    actions: [
      { theme: 'brand', text: 'Get started', link: '/guide/getting-started' },
      { theme: 'alt', text: 'Is it for me?', link: '/comparison' },
    ],
  },
  features: [
    {
      title: 'Handlers that do not lose a message',
      details:
        'It is acknowledged after your promise or observable has succeeded. An error retries it; after the last attempt it is dead-lettered.',
      link: '/guide/failure-handling',
    },
    {
      title: 'Transactions that read like a method',
      details:
        'The message is visible if and only if your database transaction committed, also when the process dies in between.',
      link: '/guide/transactions',
    },
    {
      title: 'One string from laptop to cluster',
      details: '"embedded:" runs a broker in your process, "host:8081" is a cluster. The protocol is the same.',
      link: '/guide/deployment',
    },
    {
      title: 'Tests that move time',
      details: 'Real messages over the real protocol. The clock is yours, so thirty minutes pass in milliseconds.',
      link: '/guide/testing',
    },
  ],
};
