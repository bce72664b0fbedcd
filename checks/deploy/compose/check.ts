// compose.yaml without Docker.

import { check } from '../../check.js';

export const COMPOSE_CHECK = check({
  name: 'compose',
  says: "compose.yaml is one that Compose's own loader takes, and what it starts works together, run without Docker",
  judges: ['libs', 'apps', 'scripts', 'docker', 'compose.yaml', 'checks/deploy'],
  needs: 'Go, Java, PostgreSQL, MariaDB',
  options: {},
  run: async (_values, tools) => (await import('./main.js')).runCompose(tools),
});
