// Counts the changes that this page has carried out: what was read before is read again.

import { signal } from '@preact/signals';

export const changes = signal(0);
