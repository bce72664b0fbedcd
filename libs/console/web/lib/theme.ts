// Light or dark: as the system says, or as the viewer chose in this browser.

import { signal } from '@preact/signals';

const THEMES = ['system', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

const KEY = 'rocketmq-console-theme';

export const theme = signal<Theme>(kept());

function kept(): Theme {
  try {
    return THEMES.find((one) => one === localStorage.getItem(KEY)) ?? 'system';
  } catch {
    // Browsers may forbid it.
    return 'system';
  }
}

export function applyTheme(): void {
  document.documentElement.style.colorScheme = theme.value === 'system' ? '' : theme.value;
}

/** The next one: system, light, dark. */
export function turnTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system';
  applyTheme();
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // Then it holds until the page is left.
  }
}
