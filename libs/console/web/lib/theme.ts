// Light or dark: as the system says, or as the viewer chose in this browser.

import { signal } from '@preact/signals';
import { keep, kept } from './storage.js';

const THEMES = ['system', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

const NAME = 'theme';

export const theme = signal<Theme>(THEMES.find((one) => one === kept(NAME)) ?? 'system');

export function applyTheme(): void {
  document.documentElement.style.colorScheme = theme.value === 'system' ? '' : theme.value;
}

/** The next one: system, light, dark. */
export function turnTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system';
  applyTheme();
  keep(NAME, theme.value);
}
