// The Dockerfile without Docker.

import { check } from '../../check.js';

export const DOCKERFILE_CHECK = check({
  name: 'dockerfile',
  says: 'what the Dockerfile builds, replayed in empty folders, runs both apps and the console, without Docker',
  judges: ['libs', 'apps', 'scripts', 'docker', 'Dockerfile', '.dockerignore', 'checks/deploy'],
  needs: 'a package registry; uses PostgreSQL where it is installed',
  options: {},
  run: async (_values, tools) => (await import('./main.js')).runDockerfile(tools),
});
