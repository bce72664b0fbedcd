// The overview, which its page reads often, and the list of pages now and then elsewhere: never both.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Overview } from '../types.js';
import { type Resource, useResource } from './resource.js';

/** What was read last. */
export const overview = signal<Overview | undefined>(undefined);

/** @param refreshMs undefined reads nothing */
export function useOverview(refreshMs: number | undefined): Resource<Overview> {
  const read = useResource<Overview>(refreshMs === undefined ? undefined : 'overview', refreshMs);
  useEffect(() => {
    if (read.value !== undefined) overview.value = read.value;
  }, [read.value]);
  return { ...read, value: read.value ?? overview.value };
}
